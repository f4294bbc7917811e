//! What the peers in Rust share: the options and the line of JSON that Quern's own programs have
//! (bench/harness), a stopwatch, latencies, a count-down.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone)]
pub struct Setup {
    pub workers: usize,
    pub size: i64,
    /// Of systems that keep an actor on the thread where it was started: partners on two.
    pub apart: bool,
}

#[derive(Default)]
pub struct Outcome {
    pub messages: i64,
    pub took: (f64, f64), // seconds, CPU seconds
    pub wrong: String,
    pub figures: Vec<(&'static str, f64)>,
}

impl Outcome {
    /// Keeps the first difference.
    pub fn check(&mut self, what: &str, found: i64, wanted: i64) {
        if found != wanted && self.wrong.is_empty() {
            self.wrong = format!("{what}: {found}, should be {wanted}");
        }
    }
}

pub struct Workload {
    pub name: &'static str,
    pub size: i64,
    pub run: fn(&Setup) -> Outcome,
    pub warm_up: bool,
}

pub fn workload(name: &'static str, size: i64, run: fn(&Setup) -> Outcome) -> Workload {
    Workload { name, size, run, warm_up: true }
}

fn usage() -> (f64, i64) {
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss * 1024)
}

pub struct Stopwatch(Instant, f64);

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch(Instant::now(), usage().0)
    }
    pub fn stop(&self) -> (f64, f64) {
        (self.0.elapsed().as_secs_f64(), usage().0 - self.1)
    }
}

pub fn resident_bytes() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 4096
}

/// Wakes one waiting thread when it has been counted down.
pub struct Countdown {
    left: AtomicI64,
    done: Mutex<bool>,
    changed: Condvar,
}

impl Countdown {
    pub fn new(count: i64) -> Arc<Self> {
        Arc::new(Countdown {
            left: AtomicI64::new(count),
            done: Mutex::new(false),
            changed: Condvar::new(),
        })
    }
    pub fn one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.done.lock().unwrap() = true;
            self.changed.notify_one();
        }
    }
    pub fn wait(&self) {
        let mut done = self.done.lock().unwrap();
        while !*done {
            done = self.changed.wait(done).unwrap();
        }
    }
}

/// Every single one, in memory that was touched before the clock started.
pub struct Latencies(Vec<i64>);

impl Latencies {
    pub fn new(expected: i64) -> Self {
        let mut values = vec![1; expected as usize];
        values.clear();
        Latencies(values)
    }
    pub fn add(&mut self, since: Instant) {
        self.0.push(since.elapsed().as_nanos() as i64);
    }
    pub fn figures(&mut self) -> Vec<(&'static str, f64)> {
        self.0.sort_unstable();
        let at = |share: f64| match self.0.len() {
            0 => 0.0,
            count => self.0[(share * (count - 1) as f64) as usize] as f64,
        };
        vec![("p50_ns", at(0.5)), ("p99_ns", at(0.99)), ("p999_ns", at(0.999))]
    }
}

/// Brings a size down to a power of ten, as skynet needs it.
pub fn leaves(size: i64) -> i64 {
    let mut leaves = 10;
    while leaves * 10 <= size {
        leaves *= 10;
    }
    leaves
}

/// xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E3779B97F4A7C15).wrapping_add(0x2545F4914F6CDD1D))
    }
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545F4914F6CDD1D) >> 11) % bound
    }
}

/// Runs the workload that the arguments name, and exits.
pub fn main(system: &str, workloads: &[Workload]) -> ! {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut setup = Setup { workers: 2, size: 0, apart: false };
    let (mut name, mut warm_ups, mut runs) = (String::new(), 1, 1);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse::<i64>().ok());
        let read = match word.as_str() {
            "--list" => {
                workloads.iter().for_each(|w| println!("{} {}", w.name, w.size));
                std::process::exit(0)
            }
            "--size" => number().map(|n| setup.size = n),
            "--workers" => number().map(|n| setup.workers = n as usize),
            "--warm-up" => number().map(|n| warm_ups = n),
            "--runs" => number().map(|n| runs = n),
            "--apart" => Some(setup.apart = true),
            text if !text.starts_with("--") => Some(name = text.to_string()),
            _ => None,
        };
        if read.is_none() {
            eprintln!("{word}: no such option, or not its number");
            std::process::exit(2);
        }
    }
    let Some(workload) = workloads.iter().find(|w| w.name == name) else {
        eprintln!("no workload \"{name}\": --list names them");
        std::process::exit(2);
    };
    if setup.size == 0 {
        setup.size = workload.size;
    }
    let tenth = Setup { size: 1.max(setup.size / 10), ..setup.clone() };
    for _ in 0..if workload.warm_up { warm_ups } else { 0 } {
        (workload.run)(&tenth);
    }
    let mut right = true;
    for _ in 0..runs {
        let outcome = (workload.run)(&setup);
        right &= outcome.wrong.is_empty();
        print(system, workload, &setup, &outcome);
    }
    std::process::exit(if right { 0 } else { 1 })
}

fn print(system: &str, workload: &Workload, setup: &Setup, outcome: &Outcome) {
    let mut line = format!(
        "{{\"system\":\"{system}\",\"workload\":\"{}\",\"workers\":{},\"size\":{},\"messages\":{},\
         \"seconds\":{:.9},\"cpu_seconds\":{:.9},\"rss_bytes\":{},",
        workload.name, setup.workers, setup.size, outcome.messages, outcome.took.0, outcome.took.1,
        usage().1
    );
    for (name, value) in &outcome.figures {
        line += &format!("\"{name}\":{value},");
    }
    if !outcome.wrong.is_empty() {
        line += &format!("\"wrong\":\"{}\",", outcome.wrong);
    }
    println!("{line}\"ok\":{}}}", outcome.wrong.is_empty());
}
