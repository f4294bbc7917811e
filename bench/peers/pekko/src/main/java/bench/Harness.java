package bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The options and the line of JSON that Quern's own programs have (bench/harness). */
final class Harness {
  record Setup(int workers, long size, int throughput) {}

  static final class Outcome {
    final long messages;
    final double seconds;
    final double cpuSeconds;
    String wrong = "";
    final Map<String, Double> figures = new TreeMap<>();

    Outcome(long messages, Stopwatch watch) {
      this.messages = messages;
      seconds = (System.nanoTime() - watch.wall) * 1e-9;
      cpuSeconds = (cpuNanos() - watch.cpu) * 1e-9;
    }

    /** Keeps the first difference. */
    Outcome check(String what, long found, long wanted) {
      if (found != wanted && wrong.isEmpty()) wrong = what + ": " + found + ", should be " + wanted;
      return this;
    }
  }

  static final class Stopwatch {
    final long cpu = cpuNanos();
    final long wall = System.nanoTime();
  }

  interface Work {
    Outcome run(Setup setup) throws Exception;
  }

  record Workload(String name, long size, Work work, boolean warmUp) {}

  /** Every single one. */
  static final class Latencies {
    private final long[] values;
    private int count = 0;

    Latencies(long expected) {
      values = new long[(int) expected];
      Arrays.fill(values, 1);
    }

    void add(long nanos) {
      values[count++] = nanos;
    }

    void addTo(Outcome outcome) {
      Arrays.sort(values, 0, count);
      outcome.figures.put("p50_ns", at(0.5));
      outcome.figures.put("p99_ns", at(0.99));
      outcome.figures.put("p999_ns", at(0.999));
    }

    private double at(double share) {
      return count == 0 ? 0 : values[(int) (share * (count - 1))];
    }
  }

  static long cpuNanos() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  /** "VmRSS" or "VmHWM". */
  static long memory(String key) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith(key + ":")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
    }
    return 0;
  }

  static long leaves(long size) {
    long leaves = 10;
    while (leaves * 10 <= size) leaves *= 10;
    return leaves;
  }

  static void main(String system, String[] arguments, List<Workload> workloads) throws Exception {
    long size = 0;
    int workers = 2;
    int warmUps = 4; // a JIT needs more than the others
    int runs = 1;
    int throughput = 5;
    String name = "";
    for (int i = 0; i < arguments.length; i++) {
      switch (arguments[i]) {
        case "--list" -> {
          workloads.forEach(w -> System.out.println(w.name + " " + w.size));
          return;
        }
        case "--size" -> size = Long.parseLong(arguments[++i]);
        case "--workers" -> workers = Integer.parseInt(arguments[++i]);
        case "--warm-up" -> warmUps = Integer.parseInt(arguments[++i]);
        case "--runs" -> runs = Integer.parseInt(arguments[++i]);
        case "--throughput" -> throughput = Integer.parseInt(arguments[++i]);
        default -> name = arguments[i];
      }
    }
    for (Workload workload : workloads) {
      if (!workload.name.equals(name)) continue;
      Setup setup = new Setup(workers, size == 0 ? workload.size : size, throughput);
      Setup tenth = new Setup(workers, Math.max(1, setup.size / 10), throughput);
      for (int i = 0; workload.warmUp && i < warmUps; i++) workload.work.run(tenth);
      boolean right = true;
      for (int i = 0; i < runs; i++) right &= print(system, workload, setup, workload.work.run(setup));
      System.exit(right ? 0 : 1);
    }
    System.err.println("no workload \"" + name + "\": --list names them");
    System.exit(2);
  }

  private static boolean print(String system, Workload workload, Setup setup, Outcome outcome) throws IOException {
    StringBuilder line = new StringBuilder();
    line.append(String.format(Locale.ROOT,
        "{\"system\":\"%s\",\"workload\":\"%s\",\"workers\":%d,\"size\":%d,\"messages\":%d,\"seconds\":%.9f,"
            + "\"cpu_seconds\":%.9f,\"rss_bytes\":%d,",
        system, workload.name, setup.workers, setup.size, outcome.messages, outcome.seconds, outcome.cpuSeconds,
        memory("VmHWM")));
    outcome.figures.forEach((key, value) -> line.append('"').append(key).append("\":").append(value).append(','));
    if (!outcome.wrong.isEmpty()) line.append("\"wrong\":\"").append(outcome.wrong).append("\",");
    System.out.println(line.append("\"ok\":").append(outcome.wrong.isEmpty()).append('}'));
    return outcome.wrong.isEmpty();
  }
}
