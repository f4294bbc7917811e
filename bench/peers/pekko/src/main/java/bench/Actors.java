package bench;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ExtensibleBehavior;
import org.apache.pekko.actor.typed.Signal;
import org.apache.pekko.actor.typed.TypedActorContext;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** The actors of the workloads. A message is a Long or one of the records below. */
final class Actors {
  static final Duration PATIENCE = Duration.ofMinutes(1);

  record Follow(ActorRef<Object> next) {}
  record Ping(int from) {}
  record Pong() {}
  record Grow(long first, long leaves) {}
  record Query(long value, ActorRef<Long> from) {}
  record Answer(long value) {}

  /** One that handles in place. */
  abstract static class Handler extends ExtensibleBehavior<Object> {
    abstract Behavior<Object> on(ActorContext<Object> context, Object message);

    @Override
    public Behavior<Object> receive(TypedActorContext<Object> context, Object message) {
      return on(context.asJava(), message);
    }

    @Override
    public Behavior<Object> receiveSignal(TypedActorContext<Object> context, Signal signal) {
      return this;
    }
  }

  static final class Player extends Handler {
    private final CountDownLatch finished;
    private ActorRef<Object> next;
    volatile long handled = 0; // read by the main thread after the end

    Player(CountDownLatch finished) {
      this.finished = finished;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      if (message instanceof Long left) {
        handled = handled + 1;
        if (left == 1) finished.countDown();
        else next.tell(left - 1);
      } else if (message instanceof Follow follow) {
        next = follow.next;
      }
      return this;
    }
  }

  static final class Sink extends Handler {
    private final CountDownLatch finished;
    private long left;
    private long sum = 0;
    volatile long result = 0;

    Sink(long expected, CountDownLatch finished) {
      left = expected;
      this.finished = finished;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      sum += (Long) message;
      if (--left == 0) {
        result = sum;
        finished.countDown();
      }
      return this;
    }
  }

  static final class Producer extends Handler {
    private final ActorRef<Object> sink;

    Producer(ActorRef<Object> sink) {
      this.sink = sink;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      for (long i = 1; i <= (Long) message; i++) sink.tell(i);
      return this;
    }
  }

  static final class Member extends Handler {
    private final int index;
    private final List<ActorRef<Object>> all; // complete before the first message
    private final CountDownLatch finished;
    private long left;
    private long random;
    volatile long handled = 0;

    Member(int index, List<ActorRef<Object>> all, long pings, CountDownLatch finished) {
      this.index = index;
      this.all = all;
      this.finished = finished;
      left = pings;
      random = index * 0x9E3779B97F4A7C15L + 0x2545F4914F6CDD1DL;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      handled = handled + 1;
      if (message instanceof Ping ping) {
        all.get(ping.from).tell(new Pong());
      } else if (left-- == 0) {
        finished.countDown();
      } else {
        random ^= random >>> 12;
        random ^= random << 25;
        random ^= random >>> 27;
        all.get((int) ((random * 0x2545F4914F6CDD1DL >>> 11) % all.size())).tell(new Ping(index));
      }
      return this;
    }
  }

  static final class Maker extends Handler {
    private final AtomicLong sum;
    private final CountDownLatch finished;

    Maker(AtomicLong sum, CountDownLatch finished) {
      this.sum = sum;
      this.finished = finished;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      for (long i = 1; i <= (Long) message; i++) context.spawnAnonymous(new Dayfly()).tell(i);
      return this;
    }

    final class Dayfly extends Handler {
      @Override
      Behavior<Object> on(ActorContext<Object> context, Object message) {
        sum.addAndGet((Long) message);
        finished.countDown();
        return Behaviors.stopped();
      }
    }
  }

  static final class Node extends Handler {
    private final ActorRef<Object> parent;
    private long sum = 0;
    private int answers = 0;

    Node(ActorRef<Object> parent) {
      this.parent = parent;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      if (message instanceof Grow grow) {
        if (grow.leaves == 1) {
          parent.tell(grow.first);
          return Behaviors.stopped();
        }
        long each = grow.leaves / 10;
        for (int i = 0; i < 10; i++) {
          context.spawnAnonymous(new Node(context.getSelf())).tell(new Grow(grow.first + i * each, each));
        }
        return this;
      }
      sum += (Long) message;
      if (++answers < 10) return this;
      parent.tell(sum);
      return Behaviors.stopped();
    }
  }

  /** Makes as many idle ones as it is told, and says when the last one has been made. */
  static final class House extends Handler {
    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      CountDownLatch started = (CountDownLatch) message;
      long count = started.getCount();
      for (long i = 0; i < count; i++) {
        context.spawnAnonymous(Behaviors.setup(idle -> {
          started.countDown();
          return Behaviors.receive(Object.class).build();
        }));
      }
      return this;
    }
  }

  static final class Echo extends Handler {
    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      Query query = (Query) message;
      query.from.tell(query.value + 1);
      return this;
    }
  }

  static final class Asker extends Handler {
    private final ActorRef<Object> echo;
    private final Harness.Latencies latencies;
    private final CountDownLatch finished;
    private long left;
    private long before;
    volatile long right = 0;

    Asker(ActorRef<Object> echo, Harness.Latencies latencies, CountDownLatch finished) {
      this.echo = echo;
      this.latencies = latencies;
      this.finished = finished;
    }

    @Override
    Behavior<Object> on(ActorContext<Object> context, Object message) {
      if (message instanceof Answer answer) {
        latencies.add(System.nanoTime() - before);
        if (answer.value == left + 1) right = right + 1;
      } else {
        left = (Long) message;
      }
      if (left-- == 0) {
        finished.countDown();
        return this;
      }
      before = System.nanoTime();
      context.ask(Long.class, echo, PATIENCE, from -> new Query(left, from),
          (value, error) -> new Answer(error == null ? value : -1));
      return this;
    }
  }
}
