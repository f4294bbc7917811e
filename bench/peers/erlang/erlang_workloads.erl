%% Erlang's whole workloads: the shapes and sizes of Quern's, in plain processes.
-module(erlang_workloads).
-export([main/0]).
-compile(inline).

main() ->
    case read(init:get_plain_arguments(), #{size => 0, warm_up => 1, runs => 1}) of
        list ->
            [io:format("~s ~b~n", [Name, Size]) || {Name, Size, _, _} <- workloads()],
            halt(0);
        #{workload := Name} = Options ->
            case lists:keyfind(Name, 1, workloads()) of
                false -> usage("no such workload: --list names them");
                Workload -> halt(run(Workload, Options))
            end;
        _ -> usage("which workload? --list names them")
    end.

usage(Text) -> io:format(standard_error, "~s~n", [Text]), halt(2).

read(["--list" | _], _) -> list;
read(["--size", N | Rest], O) -> read(Rest, O#{size := list_to_integer(N)});
read(["--warm-up", N | Rest], O) -> read(Rest, O#{warm_up := list_to_integer(N)});
read(["--runs", N | Rest], O) -> read(Rest, O#{runs := list_to_integer(N)});
read(["--workers", _ | Rest], O) -> read(Rest, O);  % the command line of the emulator says it: +S
read(["--" ++ Word | _], _) -> usage(Word ++ ": no such option");
read([Word | Rest], O) -> read(Rest, O#{workload => Word});
read([], O) -> O.

workloads() ->
    [{"ping-pong", 5000000, fun(N) -> rings(1, 2, N) end, warm},
     {"ping-pong-1000", 2000, fun(N) -> rings(1000, 2, N) end, warm},
     {"fan-in-1", 4000000, fun(N) -> fan_in(N, 1) end, warm},
     {"fan-in-8", 4000000, fun(N) -> fan_in(N, 8) end, warm},
     {"thread-ring", 5000000, fun(N) -> rings(1, 1000, N) end, warm},
     {"big", 20000, fun big/1, warm},
     {"create", 1000000, fun create/1, warm},
     {"skynet", 1000000, fun skynet/1, warm},
     {"idle-actors", 300000, fun idle_actors/1, cold},
     {"ask", 1000000, fun ask/1, warm}].

run({Name, Usual, Work, Warm}, #{size := Given, warm_up := WarmUps, runs := Runs}) ->
    Size = if Given =:= 0 -> Usual; true -> Given end,
    [Work(max(1, Size div 10)) || Warm =:= warm, _ <- lists:seq(1, WarmUps)],
    lists:max([report(Name, Size, Work(Size)) || _ <- lists:seq(1, Runs)]).

report(Name, Size, {Messages, {Seconds, Cpu}, Figures, {What, Found, Wanted}}) ->
    Right = Found =:= Wanted,
    io:format("{\"system\":\"erlang\",\"workload\":\"~s\",\"workers\":~b,\"size\":~b,\"messages\":~b,\"seconds\":~.9f,"
              "\"cpu_seconds\":~.3f,\"rss_bytes\":~b,", [Name, erlang:system_info(schedulers), Size, Messages, Seconds, Cpu,
                                                       memory("VmHWM")]),
    [io:format("\"~s\":~b,", [Key, round(Value)]) || {Key, Value} <- Figures],
    [io:format("\"wrong\":\"~s: ~b, should be ~b\",", [What, Found, Wanted]) || not Right],
    io:format("\"ok\":~s}~n", [Right]),
    if Right -> 0; true -> 1 end.

memory(Key) ->
    {ok, Text} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Text, Key ++ ":\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(Kilobytes) * 1024.

start() -> {erlang:monotonic_time(nanosecond), element(1, erlang:statistics(runtime))}.
stop({Wall, Cpu}) ->
    {(erlang:monotonic_time(nanosecond) - Wall) / 1.0e9, (element(1, erlang:statistics(runtime)) - Cpu) / 1000}.

%% Sends `report` to all and adds up what they answer.
sum(Pids) ->
    [Pid ! {report, self()} || Pid <- Pids],
    lists:sum([receive {Pid, Count} -> Count end || Pid <- Pids]).

%% Rings of players that hand the ball on.
rings(Count, Length, Balls) ->
    Main = self(),
    Rings = [ring(Length, Main) || _ <- lists:seq(1, Count)],
    Watch = start(),
    [hd(Ring) ! Balls || Ring <- Rings],
    [receive finished -> ok end || _ <- Rings],
    Took = stop(Watch),
    {Count * Balls, Took, [], {"messages handled", sum(lists:append(Rings)), Count * Balls}}.

ring(Length, Main) ->
    Pids = [spawn(fun() -> receive {follow, Next} -> player(Next, Main, 0) end end) || _ <- lists:seq(1, Length)],
    [Pid ! {follow, Next} || {Pid, Next} <- lists:zip(Pids, tl(Pids) ++ [hd(Pids)])],
    Pids.

player(Next, Main, Handled) ->
    receive
        1 -> Main ! finished, player(Next, Main, Handled + 1);
        Left when is_integer(Left) -> Next ! Left - 1, player(Next, Main, Handled + 1);
        {report, To} -> To ! {self(), Handled}
    end.

fan_in(Size, Producers) ->
    Each = max(1, Size div Producers),
    Main = self(),
    Sink = spawn(fun() -> sink(Main, Producers * Each, 0) end),
    Sources = [spawn(fun() -> receive go -> produce(Sink, Each) end end) || _ <- lists:seq(1, Producers)],
    Watch = start(),
    [Source ! go || Source <- Sources],
    receive {sum, Sum} -> ok end,
    {Producers * Each, stop(Watch), [], {"sum received", Sum, Producers * Each * (Each + 1) div 2}}.

sink(Main, 0, Sum) -> Main ! {sum, Sum};
sink(Main, Left, Sum) -> receive Value -> sink(Main, Left - 1, Sum + Value) end.

produce(_, 0) -> ok;
produce(Sink, Left) -> Sink ! Left, produce(Sink, Left - 1).

big(Pings) ->
    Main = self(),
    Pids = [spawn(fun() -> receive {all, All} -> member(All, Pings, I, Main, 0) end end) || I <- lists:seq(1, 120)],
    All = list_to_tuple(Pids),
    [Pid ! {all, All} || Pid <- Pids],
    Watch = start(),
    [Pid ! pong || Pid <- Pids],
    [receive finished -> ok end || _ <- Pids],
    Took = stop(Watch),
    {240 * Pings, Took, [], {"messages handled", sum(Pids), 240 * Pings + 120}}.

member(All, Left, Random, Main, Handled) ->
    receive
        {ping, From} -> From ! pong, member(All, Left, Random, Main, Handled + 1);
        pong when Left =:= 0 -> Main ! finished, member(All, Left - 1, Random, Main, Handled + 1);
        pong ->
            Next = (Random * 1103515245 + 12345) band 16#7fffffff,
            element((Next bsr 8) rem 120 + 1, All) ! {ping, self()},
            member(All, Left - 1, Next, Main, Handled + 1);
        {report, To} -> To ! {self(), Handled}
    end.

create(Size) ->
    Main = self(),
    Sum = atomics:new(2, []),
    Watch = start(),
    spawn(fun() -> make(Size, Size, Sum, Main) end),
    receive finished -> ok end,
    {Size, stop(Watch), [], {"sum received", atomics:get(Sum, 1), Size * (Size + 1) div 2}}.

make(0, _, _, _) -> ok;
make(Left, Size, Sum, Main) ->
    Pid = spawn(fun() ->
        receive Value ->
            atomics:add(Sum, 1, Value),
            case atomics:add_get(Sum, 2, 1) of Size -> Main ! finished; _ -> ok end
        end
    end),
    Pid ! Left,
    make(Left - 1, Size, Sum, Main).

skynet(Size) ->
    Leaves = leaves(10, Size),
    Main = self(),
    Watch = start(),
    spawn(fun() -> node(Main, 0, Leaves) end),
    receive Sum -> ok end,
    {Leaves, stop(Watch), [], {"sum of leaves", Sum, Leaves * (Leaves - 1) div 2}}.

leaves(Leaves, Size) when Leaves * 10 =< Size -> leaves(Leaves * 10, Size);
leaves(Leaves, _) -> Leaves.

node(Parent, First, 1) -> Parent ! First;
node(Parent, First, Leaves) ->
    Self = self(),
    Each = Leaves div 10,
    [spawn(fun() -> node(Self, First + I * Each, Each) end) || I <- lists:seq(0, 9)],
    Parent ! add(10, 0).

add(0, Sum) -> Sum;
add(Left, Sum) -> receive Value -> add(Left - 1, Sum + Value) end.

idle_actors(Size) ->
    _ = [spawn(fun idle/0) || _ <- lists:seq(1, 1000)],
    Before = memory("VmRSS"),
    Watch = start(),
    Pids = [spawn(fun idle/0) || _ <- lists:seq(1, Size)],
    Took = stop(Watch),
    Bytes = (memory("VmRSS") - Before) / Size,
    Alive = length([Pid || Pid <- Pids, is_process_alive(Pid)]),
    {Size, Took, [{"bytes_each", Bytes}], {"alive", Alive, Size}}.

idle() -> receive stop -> ok end.

ask(Size) ->
    Main = self(),
    Echo = spawn(fun echo/0),
    Watch = start(),
    spawn(fun() -> Main ! {answers, ask_often(Echo, Size, 0, [])} end),
    receive {answers, {Right, Latencies}} -> ok end,
    Took = stop(Watch),
    Sorted = list_to_tuple(lists:sort(Latencies)),
    At = fun(Share) -> element(trunc(Share * (Size - 1)) + 1, Sorted) end,
    {Size, Took, [{"p50_ns", At(0.5)}, {"p99_ns", At(0.99)}, {"p999_ns", At(0.999)}], {"right answers", Right, Size}}.

echo() -> receive {From, Key, Value} -> From ! {Key, Value + 1}, echo() end.

ask_often(_, 0, Right, Latencies) -> {Right, Latencies};
ask_often(Echo, Left, Right, Latencies) ->
    Before = erlang:monotonic_time(nanosecond),
    Key = make_ref(),
    Echo ! {self(), Key, Left},
    receive {Key, Answer} -> ok end,
    After = erlang:monotonic_time(nanosecond),
    ask_often(Echo, Left - 1, Right + case Answer of Left -> 0; _ -> 1 end, [After - Before | Latencies]).
