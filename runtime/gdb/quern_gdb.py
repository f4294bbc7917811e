"""Actors and suspended handlers of a live process or a core, in gdb. See docs/debugging.md.

    gdb -p PID                    (or: gdb PROGRAM CORE)
    (gdb) source runtime/gdb/quern_gdb.py
    (gdb) quern actors            the tree: path, class, state, messages that wait
    (gdb) quern parked            each handler that waits: actor, message, for what, how long
    (gdb) quern bt /cart          the stack of each handler of /cart that waits

Reads memory only: nothing of the process is called or changed, so a core does as well. It relies on the types that every
program carries from runtime/src/system/debugger_types.cc; `strip` takes them away.
"""

import gdb
import gdb.unwinder

NAMESPACE = "quern::internal::"
DEPTH_MAX = 10000  # messages that are counted: kMailboxCountMax
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # ActorName
NEVER_READ = "a part of it cannot be read"

# Where jump_fcontext of Boost.Context 1.81 keeps a suspended fiber's registers (jump_x86_64_sysv_elf_gas.S); above
# them its stack goes on.
SAVED_REGISTERS = {"r12": 0x10, "r13": 0x18, "r14": 0x20, "r15": 0x28, "rbx": 0x30, "rbp": 0x38, "rip": 0x40}
SAVED_BYTES = 0x48


# --- Reading ---------------------------------------------------------------------------------------------------------


def type_of(name):
    """One of the runtime's types."""
    try:
        return gdb.lookup_type(NAMESPACE + name)
    except gdb.error:
        raise gdb.GdbError(
            "quern: no type %s%s: this is no program of Quern, or one that was stripped (load the unstripped one with"
            " `file`)" % (NAMESPACE, name)
        )


def pointer_to(name, address):
    return gdb.Value(int(address)).cast(type_of(name).pointer())


def word_at(address):
    return int(gdb.Value(address).cast(gdb.lookup_type("unsigned long").pointer()).dereference())


def plain(atomic):
    """What a std::atomic holds."""
    for field in ("_M_b", "_M_base", "_M_i", "_M_p"):
        try:
            return plain(atomic[field])
        except (gdb.error, KeyError):
            continue
    return atomic


def view(value):
    """A std::string_view as a str."""
    size = int(value["_M_len"])
    return value["_M_str"].string("utf-8", "replace", size) if size else ""


def text(value):
    """A std::string as a str."""
    size = int(value["_M_string_length"])
    return value["_M_dataplus"]["_M_p"].string("utf-8", "replace", size) if size else ""


def short(name):
    """Without the namespaces, which are the same on every line."""
    end = name.find("<") if "<" in name else len(name)
    at = name.rfind("::", 0, end)
    return name if at < 0 else name[at + 2 :]


def members(flat_hash_set):
    """The full slots of an abseil hash set: those whose control byte is not negative."""
    control = flat_hash_set["ctrl_"]
    for i in range(int(flat_hash_set["capacity_"])):
        if int(control[i].cast(gdb.lookup_type("signed char"))) >= 0:
            yield flat_hash_set["slots_"][i]


# --- Workers, cells, handlers ----------------------------------------------------------------------------------------


def workers():
    """The worker of each thread that is one."""
    type_of("Worker")  # says what is missing
    before = gdb.selected_thread()
    if before is None:
        raise gdb.GdbError("quern: no process: attach to one (gdb -p PID) or load a core (gdb PROGRAM CORE)")
    found = {}
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        try:
            slot = int(gdb.parse_and_eval("(long)&'%sWorker::current_'" % NAMESPACE))
            worker = word_at(slot)
            if worker != 0:
                found[worker] = pointer_to("Worker", worker).dereference()
        except gdb.error:
            continue  # a thread that has no such variable yet, or whose memory is not in the core
    before.switch()
    if not found:
        raise gdb.GdbError("quern: no thread is a worker of a system (a core needs the program that wrote it)")
    return sorted(found.values(), key=lambda worker: (int(worker["scheduler_"]), int(worker["index_"])))


def systems():
    """Each system with its workers."""
    found = {}
    for worker in workers():
        core = worker["scheduler_"]["core_"]
        found.setdefault(int(core), (core.dereference(), []))[1].append(worker)
    return found.values()


def kind_of(cell):
    """The name of the most derived class of a cell."""
    return cell.dynamic_type.target().unqualified().name.replace(NAMESPACE, "")


def as_actor(cell):
    return pointer_to("ActorCell", cell).dereference()


def name_of(actor):
    """It lies behind the object and its arguments; one that was not given is made from the id."""
    size = int(actor["name_bytes_"])
    if not size:
        return generated_name(int(actor["id_"]))
    factory = actor["factory_"]
    alignment = int(factory["arguments_alignment"])
    behind = int((actor.address + 1)) + int(factory["actor_class"]["bytes"])
    begin = (behind + alignment - 1) // alignment * alignment + int(factory["arguments_bytes"])
    return gdb.Value(begin).cast(gdb.lookup_type("char").pointer()).string("utf-8", "replace", size)


def generated_name(number):
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return "$" + text


def path_of(cell):
    kind = kind_of(cell)
    if kind == "ActorCell":
        names = []
        actor = as_actor(cell)
        while int(actor["parent_"]) != 0:
            names.append(name_of(actor))
            actor = actor["parent_"].dereference()
        return "/" + "/".join(reversed(names))
    if kind == "Activation":
        grain = pointer_to("Activation", cell).dereference()["id_"]
        return text(grain["kind"]) + "/" + text(grain["key"])
    return "%s %d" % (kind, int(cell["id_"]))


def class_of(actor):
    factory = actor["factory_"]
    return "" if int(factory) == 0 else view(factory["actor_class"]["name"])


def state_of(actor):
    return str(plain(actor["state_"])).split("::k")[-1].lower()


def depth_of(cell):
    """Messages that wait in a cell's mailbox, as text."""
    try:
        count = chosen_depth_of(cell)
        first = int(plain(cell["mailbox_"]["tail_"]["next"]))
        pointer = type_of("Envelope").pointer()
        envelope = gdb.Value(first & ~1).cast(pointer)
        if first & 1 != 0:  # Mailbox::kLater: the stub, in front of the first
            envelope = plain(envelope["next"]).cast(pointer)
        while int(envelope) != 0 and count < DEPTH_MAX:
            if int(envelope["signature"]) != 0:
                count += 1
            envelope = plain(envelope["next"]).cast(envelope.type)
        return ("%d" if count < DEPTH_MAX else "%d or more") % count
    except gdb.MemoryError:
        return NEVER_READ


def chosen_depth_of(cell):
    """Of a mailbox of another kind than the default: what came in and is neither out nor dropped."""
    if int(plain(cell["gate_"])) & 2 == 0:  # MailboxCell::kChosen
        return 0
    if kind_of(cell.address) == "ActorCell":
        side = made_once(as_actor(cell.address)["extras_"])["side_mail"]
    else:
        side = pointer_to("Activation", cell.address)["side_mail_"]
    counts = owned(owned(side)["chosen"])["counts_"]
    gone = sum(int(counts["dropped"]["_M_elems"][i]) for i in range(elements(counts["dropped"])))
    return max(int(counts["sent"]) - int(counts["taken"]) - gone, 0)


def owned(unique_ptr):
    """What a std::unique_ptr points to; it holds nothing else."""
    content = unique_ptr.type.strip_typedefs().template_argument(0)
    return gdb.Value(word_at(int(unique_ptr.address))).cast(content.pointer()).dereference()


def made_once(holder):
    """What a MadeOnce points to, below a mark."""
    content = holder.type.strip_typedefs().template_argument(0)
    return gdb.Value(word_at(int(holder.address)) & ~1).cast(content.pointer())


def elements(array):
    low, high = array["_M_elems"].type.strip_typedefs().range()
    return high - low + 1


def children_of(actor):
    extras = made_once(actor["extras_"])
    family = made_once(extras["family"]) if int(extras) != 0 else extras
    if int(family) == 0:
        return []
    children = family["children"]
    slots = children["unnamed_"]
    found = [as_actor(slot) for slot in members(children["named_"])]
    for i in range(int(slots["capacity_"])):
        if int(slots["slots_"][i]) != 0:
            found.append(as_actor(slots["slots_"][i]))
    found += [as_actor(slot["value"]["second"]) for slot in members(slots["displaced_"])]
    living = [child for child in found if int(plain(child["gate_"])) & 1 == 0]  # MailboxCell::kClosed
    return sorted(living, key=name_of)


def nanos(time):
    """A Time, as it is since its clock's epoch."""
    return int(time["__d"]["__r"])


class Parked:
    """A runner whose handler waits."""

    def __init__(self, worker, runner, now):
        turn = runner["turn"].dereference()
        waiter = runner["waiter"].dereference()
        self.worker = int(worker["index_"])
        self.runner = runner
        self.cell = turn["cell"]
        self.path = path_of(self.cell)
        self.message = "a hook"
        if int(turn["envelope"]) != 0:
            self.message = short(view(turn["envelope"]["signature"]["message_name"]))
        self.waits = "waits"
        since = waiter["since_"]
        if int(waiter["answer_"]) != 0:
            answer = waiter["answer_"].dereference()
            message = view(answer["signature"]["message_name"])
            self.waits = "asks %s %s" % (path_of(answer["target"]), short(message))
            since = answer["since"]
        self.ms = max(now - nanos(since), 0) // 1000000

    def __str__(self):
        depth = depth_of(self.cell.dereference())
        return "%s  in %s for at least %d ms: %s; %s queued  (worker %d)" % (
            self.path, self.message, self.ms, self.waits, depth, self.worker)


def parked():
    found = workers()
    now = {}  # of each system: what one of its workers has read last from the clock
    for worker in found:
        system = int(worker["scheduler_"])
        now[system] = max(now.get(system, 0), nanos(worker["now_"]))
    for worker in found:
        runner = worker["runners_list_"]
        while int(runner) != 0:
            if int(runner["turn"]) != 0 and int(runner["waiter"]) != 0:
                yield Parked(worker, runner, now[int(worker["scheduler_"])])
            runner = runner["next"]


# --- Stacks ----------------------------------------------------------------------------------------------------------


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class FiberUnwinder:
    """While it is enabled, what called the innermost frame is the suspended fiber: registers need not be written, which a
    core does not allow."""

    name = "quern-fiber"

    def __init__(self):
        self.enabled = False
        self.registers = {}
        self.innermost = None

    def __call__(self, pending):
        at = (int(pending.read_register("rsp")), int(pending.read_register("rip")))
        if at != self.innermost:
            return None
        # Below the fiber's stack, so that gdb takes what follows for its callers.
        info = pending.create_unwind_info(FrameId(gdb.Value(self.registers["rsp"] - SAVED_BYTES), pending.read_register("rip")))
        word = gdb.lookup_type("unsigned long")
        for register, value in self.registers.items():
            info.add_saved_register(register, gdb.Value(value).cast(word))
        return info


UNWINDER = FiberUnwinder()


def saved_registers(runner):
    holder = next(f for f in runner["context"].type.target().fields() if f.name == "c_")
    context = word_at(int(runner["context"]) + holder.bitpos // 8)  # boost::context::fiber::fctx_
    if context == 0:
        return None  # it runs, or has never been suspended
    registers = {name: word_at(context + offset) for name, offset in SAVED_REGISTERS.items()}
    registers["rsp"] = context + SAVED_BYTES
    return registers


def frames_of(runner):
    """The frames of a suspended fiber, the innermost first, as text."""
    if "x86-64" not in gdb.newest_frame().architecture().name():
        raise gdb.GdbError("quern: stacks of suspended handlers are known on x86-64 only")
    if gdb.lookup_type("boost::context::fiber").fields()[0].name != "fctx_":
        raise gdb.GdbError("quern: this build switches stacks by ucontext (ThreadSanitizer), where they are not found")
    registers = saved_registers(runner)
    if registers is None:
        return []
    newest = gdb.newest_frame()
    UNWINDER.innermost = (int(newest.read_register("rsp")), int(newest.pc()))
    UNWINDER.registers = registers
    UNWINDER.enabled = True
    gdb.invalidate_cached_frames()
    try:
        lines = []
        frame = gdb.newest_frame().older()
        while frame is not None and frame.is_valid() and frame.pc() != 0:
            name = frame.name() or "??"
            if not name.startswith("boost::fibers::"):
                lines.append(describe(frame, name))
            if name.startswith(NAMESPACE + "MailboxCell::RunTurn"):
                break  # below it a runner is like any other
            frame = frame.older()
        return lines
    finally:
        UNWINDER.enabled = False
        gdb.invalidate_cached_frames()


def describe(frame, name):
    where = frame.find_sal()
    line = "%#018x  %s" % (frame.pc(), name)
    if where.symtab is not None:
        line += "  at %s:%d" % (where.symtab.filename, where.line)
    return line


# --- Commands --------------------------------------------------------------------------------------------------------


class Quern(gdb.Command):
    """Actors and suspended handlers of the systems of this process.

    quern actors [PATH]   the tree, or what stands below PATH
    quern parked          the handlers that wait
    quern bt PATH|all     their stacks"""

    def __init__(self):
        super().__init__("quern", gdb.COMMAND_STACK, prefix=True)


class Actors(gdb.Command):
    """quern actors [PATH]: the tree of actors, or what stands below PATH.

    Of each actor the path, class and state, and how many messages wait in its mailbox."""

    def __init__(self):
        super().__init__("quern actors", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        under = argument.strip().rstrip("/")
        shown = False
        for core, its_workers in systems():
            root = core["root_"]["cell_"]
            print('system "%s": %d workers%s' % (
                text(core["options_"]["name"]), len(its_workers), "" if int(root) != 0 else ", stopped"))
            if int(root) != 0:
                shown = self.show(root.dereference(), "", under) or shown
        if under and not shown:
            raise gdb.GdbError("quern: there is no actor %s" % under)

    def show(self, actor, above, under):
        shown = False
        for child in children_of(actor):
            path = above + "/" + name_of(child)
            if not under or path == under or path.startswith(under + "/"):
                print("%s  %s  %s, %s queued" % (path, short(class_of(child)), state_of(child), depth_of(child)))
                shown = True
            shown = self.show(child, path, under) or shown
        return shown


class ParkedHandlers(gdb.Command):
    """quern parked: each handler that waits.

    Of which actor, in which message, for what, and for how long, by the clock as a worker has read it last."""

    def __init__(self):
        super().__init__("quern parked", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        found = sorted(str(handler) for handler in parked())
        print("\n".join(found) if found else "no handler waits")


class Backtrace(gdb.Command):
    """quern bt PATH|all: the stack of each handler that waits, of an actor or grain, or of all."""

    def __init__(self):
        super().__init__("quern bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted = argument.strip()
        if not wanted:
            raise gdb.GdbError("quern: bt needs a path, or `all`: see `quern parked`")
        found = [handler for handler in parked() if wanted in (handler.path, "all")]
        if not found:
            raise gdb.GdbError("quern: no handler of %s waits: see `quern parked`" % wanted)
        for handler in found:
            print(handler)
            for number, line in enumerate(frames_of(handler.runner)):
                print("  #%-2d %s" % (number, line))


gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)
for command in (Quern, Actors, ParkedHandlers, Backtrace):
    command()
