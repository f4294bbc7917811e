package bench;

import bench.Actors.Follow;
import bench.Actors.Grow;
import bench.Actors.Pong;
import bench.Actors.Query;
import bench.Harness.Latencies;
import bench.Harness.Outcome;
import bench.Harness.Setup;
import bench.Harness.Stopwatch;
import bench.Harness.Workload;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import scala.concurrent.Await;
import scala.concurrent.duration.Duration;

/** Pekko Typed's whole workloads: the shapes and sizes of Quern's, its default dispatcher. */
public final class Main {
  private static int names = 0;

  private static ActorSystem<Object> start(Setup setup) {
    Config config = ConfigFactory.parseString(
        "pekko.loglevel = off, pekko.stdout-loglevel = off, pekko.log-dead-letters = off,"
            + "pekko.actor.default-dispatcher { executor = fork-join-executor, throughput = " + setup.throughput()
            + ", fork-join-executor { parallelism-min = " + setup.workers() + ", parallelism-max = " + setup.workers()
            + " } }").withFallback(ConfigFactory.load());
    return ActorSystem.create(Behaviors.receive(Object.class).build(), "bench", config);
  }

  private static void stop(ActorSystem<Object> system) throws Exception {
    system.terminate();
    Await.ready(system.whenTerminated(), Duration.create(60, TimeUnit.SECONDS));
  }

  private static ActorRef<Object> spawn(ActorSystem<Object> system, Behavior<Object> behavior) {
    return system.systemActorOf(behavior, "a" + names++, Props.empty());
  }

  private static Outcome rings(Setup setup, int count, int length) throws Exception {
    ActorSystem<Object> system = start(setup);
    CountDownLatch finished = new CountDownLatch(count);
    List<Actors.Player> players = new ArrayList<>();
    List<ActorRef<Object>> refs = new ArrayList<>();
    for (int i = 0; i < count * length; i++) {
      players.add(new Actors.Player(finished));
      refs.add(spawn(system, players.get(i)));
    }
    for (int i = 0; i < count * length; i++) {
      refs.get(i).tell(new Follow(refs.get(i % length == length - 1 ? i + 1 - length : i + 1)));
    }
    Stopwatch watch = new Stopwatch();
    for (int i = 0; i < count; i++) refs.get(i * length).tell(setup.size());
    finished.await();
    Outcome outcome = new Outcome(count * setup.size(), watch);
    stop(system);
    return outcome.check("messages handled", players.stream().mapToLong(p -> p.handled).sum(), count * setup.size());
  }

  private static Outcome fanIn(Setup setup, int producers) throws Exception {
    long each = Math.max(1, setup.size() / producers);
    ActorSystem<Object> system = start(setup);
    CountDownLatch finished = new CountDownLatch(1);
    Actors.Sink counting = new Actors.Sink(producers * each, finished);
    ActorRef<Object> sink = spawn(system, counting);
    List<ActorRef<Object>> sources = new ArrayList<>();
    for (int i = 0; i < producers; i++) sources.add(spawn(system, new Actors.Producer(sink)));
    Stopwatch watch = new Stopwatch();
    sources.forEach(source -> source.tell(each));
    finished.await();
    Outcome outcome = new Outcome(producers * each, watch);
    stop(system);
    return outcome.check("sum received", counting.result, producers * each * (each + 1) / 2);
  }

  private static Outcome big(Setup setup) throws Exception {
    final int actors = 120;
    ActorSystem<Object> system = start(setup);
    CountDownLatch finished = new CountDownLatch(actors);
    List<Actors.Member> members = new ArrayList<>();
    List<ActorRef<Object>> all = new ArrayList<>();
    for (int i = 0; i < actors; i++) {
      members.add(new Actors.Member(i, all, setup.size(), finished));
      all.add(spawn(system, members.get(i)));
    }
    Stopwatch watch = new Stopwatch();
    all.forEach(member -> member.tell(new Pong()));
    finished.await();
    Outcome outcome = new Outcome(2 * actors * setup.size(), watch);
    stop(system);
    long handled = members.stream().mapToLong(m -> m.handled).sum();
    return outcome.check("messages handled", handled, outcome.messages + actors);
  }

  private static Outcome create(Setup setup) throws Exception {
    ActorSystem<Object> system = start(setup);
    AtomicLong sum = new AtomicLong();
    CountDownLatch finished = new CountDownLatch((int) setup.size());
    ActorRef<Object> maker = spawn(system, new Actors.Maker(sum, finished));
    Stopwatch watch = new Stopwatch();
    maker.tell(setup.size());
    finished.await();
    Outcome outcome = new Outcome(setup.size(), watch);
    stop(system);
    return outcome.check("sum received", sum.get(), setup.size() * (setup.size() + 1) / 2);
  }

  private static Outcome skynet(Setup setup) throws Exception {
    long leaves = Harness.leaves(setup.size());
    ActorSystem<Object> system = start(setup);
    CountDownLatch finished = new CountDownLatch(1);
    Actors.Sink top = new Actors.Sink(1, finished);
    ActorRef<Object> parent = spawn(system, top);
    Stopwatch watch = new Stopwatch();
    spawn(system, new Actors.Node(parent)).tell(new Grow(0, leaves));
    finished.await();
    Outcome outcome = new Outcome(leaves, watch);
    stop(system);
    return outcome.check("sum of leaves", top.result, leaves * (leaves - 1) / 2);
  }

  private static Outcome idleActors(Setup setup) throws Exception {
    ActorSystem<Object> system = start(setup);
    ActorRef<Object> house = spawn(system, new Actors.House());
    long[] resident = new long[2];
    Stopwatch watch = null;
    for (int i = 0; i < 2; i++) {
      watch = new Stopwatch();
      CountDownLatch started = new CountDownLatch(i == 0 ? 1000 : (int) setup.size());
      house.tell(started);
      started.await();
      System.gc();
      resident[i] = Harness.memory("VmRSS");
    }
    Outcome outcome = new Outcome(setup.size(), watch);
    outcome.figures.put("bytes_each", (double) (resident[1] - resident[0]) / setup.size());
    return outcome;
  }

  private static Outcome ask(Setup setup) throws Exception {
    ActorSystem<Object> system = start(setup);
    CountDownLatch finished = new CountDownLatch(1);
    Latencies latencies = new Latencies(setup.size());
    Actors.Asker asking = new Actors.Asker(spawn(system, new Actors.Echo()), latencies, finished);
    ActorRef<Object> asker = spawn(system, asking);
    Stopwatch watch = new Stopwatch();
    asker.tell(setup.size());
    finished.await();
    Outcome outcome = new Outcome(setup.size(), watch);
    stop(system);
    latencies.addTo(outcome);
    return outcome.check("right answers", asking.right, setup.size());
  }

  private static Outcome askThread(Setup setup) throws Exception {
    ActorSystem<Object> system = start(setup);
    ActorRef<Object> echo = spawn(system, new Actors.Echo());
    Latencies latencies = new Latencies(setup.size());
    long right = 0;
    Stopwatch watch = new Stopwatch();
    for (long i = 0; i < setup.size(); i++) {
      long value = i;
      long before = System.nanoTime();
      long answer = AskPattern.<Object, Long>ask(echo, from -> new Query(value, from), Actors.PATIENCE, system.scheduler())
          .toCompletableFuture().join();
      latencies.add(System.nanoTime() - before);
      if (answer == i + 1) right++;
    }
    Outcome outcome = new Outcome(setup.size(), watch);
    stop(system);
    latencies.addTo(outcome);
    return outcome.check("right answers", right, setup.size());
  }

  public static void main(String[] arguments) throws Exception {
    Harness.main(Arrays.asList(arguments).contains("--throughput") ? "pekko-64" : "pekko", arguments, List.of(
        new Workload("ping-pong", 5_000_000, setup -> rings(setup, 1, 2), true),
        new Workload("ping-pong-1000", 5_000, setup -> rings(setup, 1000, 2), true),
        new Workload("fan-in-1", 4_000_000, setup -> fanIn(setup, 1), true),
        new Workload("fan-in-8", 4_000_000, setup -> fanIn(setup, 8), true),
        new Workload("thread-ring", 5_000_000, setup -> rings(setup, 1, 1000), true),
        new Workload("big", 20_000, Main::big, true),
        new Workload("create", 200_000, Main::create, true),
        new Workload("skynet", 1_000_000, Main::skynet, true),
        new Workload("idle-actors", 300_000, Main::idleActors, false),
        new Workload("ask", 20_000, Main::ask, true),
        new Workload("ask-thread", 50_000, Main::askThread, true)));
  }
}
