//! The whole workloads for systems whose actors are tasks of tokio: each says how it spawns, tells
//! and asks, and has the same actors.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use harness::{
    leaves, resident_bytes, workload, Countdown, Latencies, Outcome, Random, Setup, Stopwatch,
    Workload,
};

pub trait Framework: Send + Sync + Sized + 'static {
    type Ref: Clone + Send + Sync + 'static;
    /// In a runtime of tokio; the actor lives at least as long as the Ref.
    fn spawn(actor: Actor<Self>) -> Self::Ref;
    fn tell(to: &Self::Ref, message: Message<Self>);
    /// The value and one.
    fn ask(to: &Self::Ref, value: i64) -> impl Future<Output = i64> + Send;
}

pub enum Message<F: Framework> {
    Number(i64),
    Follow(F::Ref),
    All(Arc<Vec<F::Ref>>),
    Ping(usize),
    Pong,
    Grow { first: i64, leaves: i64 },
    Report(Arc<AtomicI64>, Arc<Countdown>),
}

pub enum Actor<F: Framework> {
    Player(Option<F::Ref>, i64, Arc<Countdown>),
    Sink { left: i64, sum: i64, finished: Arc<Countdown> },
    Producer(F::Ref),
    Member(Box<Member<F>>),
    Maker(Arc<AtomicI64>, Arc<Countdown>),
    Dayfly(Arc<AtomicI64>, Arc<Countdown>),
    Node { parent: F::Ref, sum: i64, answers: i64 },
    Top(Arc<AtomicI64>, Arc<Countdown>),
    Idle(Arc<Countdown>),
    Echo,
}

pub struct Member<F: Framework> {
    index: usize,
    all: Arc<Vec<F::Ref>>,
    left: i64,
    random: Random,
    handled: i64,
    finished: Arc<Countdown>,
}

impl<F: Framework> Actor<F> {
    pub fn started(&self) {
        if let Actor::Idle(started) = self {
            started.one();
        }
    }

    /// True: the actor stops.
    pub fn handle(&mut self, me: &F::Ref, message: Message<F>) -> bool {
        match (self, message) {
            (Actor::Player(next, handled, finished), Message::Number(left)) => {
                *handled += 1;
                match left {
                    1 => finished.one(),
                    _ => F::tell(next.as_ref().unwrap(), Message::Number(left - 1)),
                }
            }
            (Actor::Player(next, ..), Message::Follow(other)) => *next = Some(other),
            (Actor::Player(_, handled, _), Message::Report(sum, reported)) => {
                sum.fetch_add(*handled, Ordering::AcqRel);
                reported.one();
            }
            (Actor::Sink { left, sum, finished }, Message::Number(value)) => {
                *sum += value;
                *left -= 1;
                if *left == 0 {
                    finished.one();
                }
            }
            (Actor::Sink { sum, .. }, Message::Report(total, reported)) => {
                total.fetch_add(*sum, Ordering::AcqRel);
                reported.one();
            }
            (Actor::Producer(sink), Message::Number(count)) => {
                (1..=count).for_each(|i| F::tell(sink, Message::Number(i)))
            }
            (Actor::Member(member), message) => member.handle(message),
            (Actor::Maker(sum, finished), Message::Number(count)) => {
                for i in 1..=count {
                    let dayfly = F::spawn(Actor::Dayfly(sum.clone(), finished.clone()));
                    F::tell(&dayfly, Message::Number(i));
                }
            }
            (Actor::Dayfly(sum, finished), Message::Number(value)) => {
                sum.fetch_add(value, Ordering::Relaxed);
                finished.one();
                return true;
            }
            (Actor::Node { parent, .. }, Message::Grow { first, leaves: 1 }) => {
                F::tell(parent, Message::Number(first));
                return true;
            }
            (Actor::Node { .. }, Message::Grow { first, leaves }) => {
                let each = leaves / 10;
                for i in 0..10 {
                    let child = F::spawn(Actor::Node { parent: me.clone(), sum: 0, answers: 0 });
                    F::tell(&child, Message::Grow { first: first + i * each, leaves: each });
                }
            }
            (Actor::Node { parent, sum, answers }, Message::Number(value)) => {
                *sum += value;
                *answers += 1;
                if *answers == 10 {
                    F::tell(parent, Message::Number(*sum));
                    return true;
                }
            }
            (Actor::Top(sum, finished), Message::Number(value)) => {
                sum.store(value, Ordering::Release);
                finished.one();
            }
            _ => {}
        }
        false
    }
}

impl<F: Framework> Member<F> {
    fn handle(&mut self, message: Message<F>) {
        match message {
            Message::All(all) => self.all = all,
            Message::Ping(from) => {
                self.handled += 1;
                F::tell(&self.all[from], Message::Pong);
            }
            Message::Pong => {
                self.handled += 1;
                self.left -= 1;
                if self.left < 0 {
                    return self.finished.one();
                }
                let to = self.random.below(self.all.len() as u64) as usize;
                F::tell(&self.all[to], Message::Ping(self.index));
            }
            Message::Report(sum, reported) => {
                sum.fetch_add(self.handled, Ordering::AcqRel);
                reported.one();
            }
            _ => {}
        }
    }
}

/// A runtime of tokio with that many workers, entered on this thread.
fn with_runtime<T>(setup: &Setup, work: impl FnOnce(&tokio::runtime::Runtime) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(setup.workers)
        .enable_all()
        .build()
        .unwrap();
    let result = {
        let _entered = runtime.enter();
        work(&runtime)
    };
    runtime.shutdown_background();
    result
}

fn sum_of<F: Framework>(actors: &[F::Ref]) -> i64 {
    let (sum, reported) = (Arc::new(AtomicI64::new(0)), Countdown::new(actors.len() as i64));
    for actor in actors {
        F::tell(actor, Message::Report(sum.clone(), reported.clone()));
    }
    reported.wait();
    sum.load(Ordering::Acquire)
}

fn outcome(messages: i64, took: (f64, f64)) -> Outcome {
    Outcome { messages, took, ..Default::default() }
}

fn rings<F: Framework>(setup: &Setup, count: usize, length: usize) -> Outcome {
    with_runtime(setup, |_| {
        let finished = Countdown::new(count as i64);
        let players: Vec<_> = (0..count * length)
            .map(|_| F::spawn(Actor::Player(None, 0, finished.clone())))
            .collect();
        for (i, player) in players.iter().enumerate() {
            let next = if i % length == length - 1 { i + 1 - length } else { i + 1 };
            F::tell(player, Message::Follow(players[next].clone()));
        }
        let watch = Stopwatch::start();
        for ring in 0..count {
            F::tell(&players[ring * length], Message::Number(setup.size));
        }
        finished.wait();
        let mut outcome = outcome(count as i64 * setup.size, watch.stop());
        let messages = outcome.messages;
        outcome.check("messages handled", sum_of::<F>(&players), messages);
        outcome
    })
}

fn fan_in<F: Framework>(setup: &Setup, producers: i64) -> Outcome {
    let each = 1.max(setup.size / producers);
    with_runtime(setup, |_| {
        let finished = Countdown::new(1);
        let left = producers * each;
        let sink = F::spawn(Actor::Sink { left, sum: 0, finished: finished.clone() });
        let sources: Vec<_> =
            (0..producers).map(|_| F::spawn(Actor::Producer(sink.clone()))).collect();
        let watch = Stopwatch::start();
        for source in &sources {
            F::tell(source, Message::Number(each));
        }
        finished.wait();
        let mut outcome = outcome(producers * each, watch.stop());
        outcome.check("sum received", sum_of::<F>(&[sink]), producers * each * (each + 1) / 2);
        outcome
    })
}

fn big<F: Framework>(setup: &Setup) -> Outcome {
    const ACTORS: i64 = 120;
    with_runtime(setup, |_| {
        let finished = Countdown::new(ACTORS);
        let members: Vec<_> = (0..ACTORS as usize)
            .map(|index| {
                F::spawn(Actor::Member(Box::new(Member {
                    index,
                    all: Arc::new(Vec::new()),
                    left: setup.size,
                    random: Random::new(index as u64),
                    handled: 0,
                    finished: finished.clone(),
                })))
            })
            .collect();
        let all = Arc::new(members.clone());
        members.iter().for_each(|member| F::tell(member, Message::All(all.clone())));
        let watch = Stopwatch::start();
        members.iter().for_each(|member| F::tell(member, Message::Pong));
        finished.wait();
        let mut outcome = outcome(2 * ACTORS * setup.size, watch.stop());
        let wanted = outcome.messages + ACTORS;
        outcome.check("messages handled", sum_of::<F>(&members), wanted);
        outcome
    })
}

fn create<F: Framework>(setup: &Setup) -> Outcome {
    with_runtime(setup, |_| {
        let (sum, finished) = (Arc::new(AtomicI64::new(0)), Countdown::new(setup.size));
        let maker = F::spawn(Actor::Maker(sum.clone(), finished.clone()));
        let watch = Stopwatch::start();
        F::tell(&maker, Message::Number(setup.size));
        finished.wait();
        let mut outcome = outcome(setup.size, watch.stop());
        let wanted = setup.size * (setup.size + 1) / 2;
        outcome.check("sum received", sum.load(Ordering::Acquire), wanted);
        outcome
    })
}

fn skynet<F: Framework>(setup: &Setup) -> Outcome {
    let leaves = leaves(setup.size);
    with_runtime(setup, |_| {
        let (sum, finished) = (Arc::new(AtomicI64::new(0)), Countdown::new(1));
        let top = F::spawn(Actor::Top(sum.clone(), finished.clone()));
        let watch = Stopwatch::start();
        let root = F::spawn(Actor::Node { parent: top.clone(), sum: 0, answers: 0 });
        F::tell(&root, Message::Grow { first: 0, leaves });
        finished.wait();
        let mut outcome = outcome(leaves, watch.stop());
        outcome.check("sum of leaves", sum.load(Ordering::Acquire), leaves * (leaves - 1) / 2);
        outcome
    })
}

fn idle_actors<F: Framework>(setup: &Setup) -> Outcome {
    with_runtime(setup, |_| {
        let mut kept = Vec::with_capacity(setup.size as usize + 1000);
        let mut fill = |actors| {
            let started = Countdown::new(actors);
            kept.extend((0..actors).map(|_| F::spawn(Actor::Idle(started.clone()))));
            started.wait();
        };
        fill(1000);
        let before = resident_bytes();
        let watch = Stopwatch::start();
        fill(setup.size);
        let mut outcome = outcome(setup.size, watch.stop());
        let bytes = (resident_bytes() - before) as f64;
        outcome.figures = vec![("bytes_each", bytes / setup.size as f64)];
        outcome
    })
}

async fn ask_often<F: Framework>(echo: F::Ref, asks: i64) -> (Latencies, i64) {
    let (mut latencies, mut right) = (Latencies::new(asks), 0);
    for i in 0..asks {
        let before = Instant::now();
        let answer = F::ask(&echo, i).await;
        latencies.add(before);
        right += (answer == i + 1) as i64;
    }
    (latencies, right)
}

fn answered(asks: i64, took: (f64, f64), (mut latencies, right): (Latencies, i64)) -> Outcome {
    let mut outcome = outcome(asks, took);
    outcome.figures = latencies.figures();
    outcome.check("right answers", right, asks);
    outcome
}

/// From a task, as an actor is one.
fn ask<F: Framework>(setup: &Setup) -> Outcome {
    with_runtime(setup, |runtime| {
        let echo = F::spawn(Actor::Echo);
        let watch = Stopwatch::start();
        let asking = runtime.spawn(ask_often::<F>(echo, setup.size));
        let answers = runtime.block_on(asking).unwrap();
        answered(setup.size, watch.stop(), answers)
    })
}

/// Each ask blocks a thread that is none of the runtime's.
fn ask_thread<F: Framework>(setup: &Setup) -> Outcome {
    with_runtime(setup, |runtime| {
        let echo = F::spawn(Actor::Echo);
        let (mut latencies, mut right) = (Latencies::new(setup.size), 0);
        let watch = Stopwatch::start();
        for i in 0..setup.size {
            let before = Instant::now();
            let answer = runtime.block_on(F::ask(&echo, i));
            latencies.add(before);
            right += (answer == i + 1) as i64;
        }
        answered(setup.size, watch.stop(), (latencies, right))
    })
}

pub fn workloads<F: Framework>() -> Vec<Workload> {
    let mut idle = workload("idle-actors", 100_000, idle_actors::<F>);
    idle.warm_up = false;
    vec![
        workload("ping-pong", 2_000_000, |setup| rings::<F>(setup, 1, 2)),
        workload("ping-pong-1000", 2_000, |setup| rings::<F>(setup, 1000, 2)),
        workload("fan-in-1", 4_000_000, |setup| fan_in::<F>(setup, 1)),
        workload("fan-in-8", 4_000_000, |setup| fan_in::<F>(setup, 8)),
        workload("thread-ring", 2_000_000, |setup| rings::<F>(setup, 1, 1000)),
        workload("big", 10_000, big::<F>),
        workload("create", 200_000, create::<F>),
        workload("skynet", 1_000_000, skynet::<F>),
        idle,
        workload("ask", 1_000_000, ask::<F>),
        workload("ask-thread", 50_000, ask_thread::<F>),
    ]
}
