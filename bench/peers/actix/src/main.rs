//! Actix's whole workloads: the shapes and sizes of Quern's. An actor stays on the thread (arbiter)
//! where it was started, so every workload is placed by hand: partners on one thread, or with
//! --apart on two.

mod create;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use actix::prelude::*;
use harness::{workload, Countdown, Latencies, Outcome, Random, Setup, Stopwatch};

/// The threads that actors run on. The calling thread runs none.
pub struct Threads {
    _system: SystemRunner,
    arbiters: Vec<Arbiter>,
}

impl Threads {
    pub fn new(setup: &Setup) -> Self {
        let system = System::new();
        Threads { _system: system, arbiters: (0..setup.workers).map(|_| Arbiter::new()).collect() }
    }
    pub fn start<A: Actor<Context = Context<A>> + Send>(&self, thread: usize, actor: A) -> Addr<A> {
        let handle = self.arbiters[thread % self.arbiters.len()].handle();
        A::start_in_arbiter(&handle, move |_| actor)
    }
    pub fn stop(self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        for arbiter in self.arbiters {
            arbiter.join().unwrap();
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub struct Number(pub i64);

/// Adds what the actor has counted, and says so.
#[derive(Message, Clone)]
#[rtype(result = "()")]
struct Report(Arc<AtomicI64>, Arc<Countdown>);

fn sum_of<A>(actors: &[Addr<A>]) -> i64
where
    A: Actor<Context = Context<A>> + Handler<Report>,
{
    let (sum, reported) = (Arc::new(AtomicI64::new(0)), Countdown::new(actors.len() as i64));
    for actor in actors {
        actor.do_send(Report(sum.clone(), reported.clone()));
    }
    reported.wait();
    sum.load(Ordering::Acquire)
}

macro_rules! reports {
    ($actor:ty, $field:ident) => {
        impl Handler<Report> for $actor {
            type Result = ();
            fn handle(&mut self, m: Report, _: &mut Context<Self>) {
                m.0.fetch_add(self.$field, Ordering::AcqRel);
                m.1.one();
            }
        }
        impl Actor for $actor {
            type Context = Context<Self>;
        }
    };
}

struct Player {
    next: Option<Addr<Player>>,
    handled: i64,
    finished: Arc<Countdown>,
}
reports!(Player, handled);

#[derive(Message)]
#[rtype(result = "()")]
struct Follow(Addr<Player>);

impl Handler<Follow> for Player {
    type Result = ();
    fn handle(&mut self, m: Follow, _: &mut Context<Self>) {
        self.next = Some(m.0);
    }
}
impl Handler<Number> for Player {
    type Result = ();
    fn handle(&mut self, m: Number, _: &mut Context<Self>) {
        self.handled += 1;
        if m.0 == 1 {
            return self.finished.one();
        }
        self.next.as_ref().unwrap().do_send(Number(m.0 - 1));
    }
}

/// `place`: the thread of the player at (ring, position).
fn rings(setup: &Setup, count: usize, length: usize, place: fn(usize, usize) -> usize) -> Outcome {
    let threads = Threads::new(setup);
    let finished = Countdown::new(count as i64);
    let players: Vec<_> = (0..count * length)
        .map(|i| {
            let player = Player { next: None, handled: 0, finished: finished.clone() };
            threads.start(place(i / length, i % length), player)
        })
        .collect();
    for (i, player) in players.iter().enumerate() {
        let next = if i % length == length - 1 { i + 1 - length } else { i + 1 };
        player.do_send(Follow(players[next].clone()));
    }
    let watch = Stopwatch::start();
    for ring in 0..count {
        players[ring * length].do_send(Number(setup.size));
    }
    finished.wait();
    let mut outcome =
        Outcome { messages: count as i64 * setup.size, took: watch.stop(), ..Default::default() };
    let messages = outcome.messages;
    outcome.check("messages handled", sum_of(&players), messages);
    threads.stop();
    outcome
}

fn by_ring(ring: usize, _: usize) -> usize {
    ring
}
fn by_position(_: usize, position: usize) -> usize {
    position
}
fn by_half(_: usize, position: usize) -> usize {
    position / 500
}

fn ping_pong(setup: &Setup) -> Outcome {
    rings(setup, 1, 2, if setup.apart { by_position } else { by_ring })
}
fn ping_pong_1000(setup: &Setup) -> Outcome {
    rings(setup, 1000, 2, if setup.apart { by_position } else { by_ring })
}
fn thread_ring(setup: &Setup) -> Outcome {
    rings(setup, 1, 1000, if setup.apart { by_position } else { by_half })
}

struct Sink {
    left: i64,
    sum: i64,
    finished: Arc<Countdown>,
}
reports!(Sink, sum);

impl Handler<Number> for Sink {
    type Result = ();
    fn handle(&mut self, m: Number, _: &mut Context<Self>) {
        self.sum += m.0;
        self.left -= 1;
        if self.left == 0 {
            self.finished.one();
        }
    }
}

struct Producer(Addr<Sink>);
impl Actor for Producer {
    type Context = Context<Self>;
}
impl Handler<Number> for Producer {
    type Result = ();
    fn handle(&mut self, m: Number, _: &mut Context<Self>) {
        (1..=m.0).for_each(|i| self.0.do_send(Number(i)));
    }
}

/// Together: all on one thread. Apart: the producers on all threads, from the second on.
fn fan_in(setup: &Setup, producers: i64) -> Outcome {
    let each = 1.max(setup.size / producers);
    let threads = Threads::new(setup);
    let finished = Countdown::new(1);
    let sink = Sink { left: producers * each, sum: 0, finished: finished.clone() };
    let sink = threads.start(0, sink);
    let sources: Vec<_> = (0..producers as usize)
        .map(|i| threads.start(if setup.apart { i + 1 } else { 0 }, Producer(sink.clone())))
        .collect();
    let watch = Stopwatch::start();
    for source in &sources {
        source.do_send(Number(each));
    }
    finished.wait();
    let mut outcome =
        Outcome { messages: producers * each, took: watch.stop(), ..Default::default() };
    outcome.check("sum received", sum_of(&[sink]), producers * each * (each + 1) / 2);
    threads.stop();
    outcome
}

fn fan_in_1(setup: &Setup) -> Outcome {
    fan_in(setup, 1)
}
fn fan_in_8(setup: &Setup) -> Outcome {
    fan_in(setup, 8)
}

struct Member {
    index: usize,
    all: Arc<Mutex<Vec<Addr<Member>>>>,
    peers: Vec<Addr<Member>>,
    left: i64,
    random: Random,
    handled: i64,
    finished: Arc<Countdown>,
}
reports!(Member, handled);

#[derive(Message)]
#[rtype(result = "()")]
struct Ping(usize);
#[derive(Message)]
#[rtype(result = "()")]
struct Pong;

impl Handler<Ping> for Member {
    type Result = ();
    fn handle(&mut self, m: Ping, _: &mut Context<Self>) {
        if self.peers.is_empty() {
            self.peers = self.all.lock().unwrap().clone();
        }
        self.handled += 1;
        self.peers[m.0].do_send(Pong);
    }
}
impl Handler<Pong> for Member {
    type Result = ();
    fn handle(&mut self, _: Pong, _: &mut Context<Self>) {
        if self.peers.is_empty() {
            self.peers = self.all.lock().unwrap().clone();
        }
        self.handled += 1;
        self.left -= 1;
        if self.left < 0 {
            return self.finished.one();
        }
        let to = self.random.below(self.peers.len() as u64) as usize;
        self.peers[to].do_send(Ping(self.index));
    }
}

fn big(setup: &Setup) -> Outcome {
    const ACTORS: usize = 120;
    let threads = Threads::new(setup);
    let finished = Countdown::new(ACTORS as i64);
    let all = Arc::new(Mutex::new(Vec::new()));
    let members: Vec<_> = (0..ACTORS)
        .map(|index| {
            let member = Member {
                index,
                all: all.clone(),
                peers: Vec::new(),
                left: setup.size,
                random: Random::new(index as u64),
                handled: 0,
                finished: finished.clone(),
            };
            threads.start(if setup.apart { index } else { 0 }, member)
        })
        .collect();
    *all.lock().unwrap() = members.clone();
    let watch = Stopwatch::start();
    members.iter().for_each(|member| member.do_send(Pong));
    finished.wait();
    let mut outcome = Outcome {
        messages: 2 * ACTORS as i64 * setup.size,
        took: watch.stop(),
        ..Default::default()
    };
    let wanted = outcome.messages + ACTORS as i64;
    outcome.check("messages handled", sum_of(&members), wanted);
    threads.stop();
    outcome
}

struct Echo;
impl Actor for Echo {
    type Context = Context<Self>;
}
#[derive(Message)]
#[rtype(result = "i64")]
struct Query(i64);
impl Handler<Query> for Echo {
    type Result = i64;
    fn handle(&mut self, m: Query, _: &mut Context<Self>) -> i64 {
        m.0 + 1
    }
}

struct Answers {
    latencies: Latencies,
    right: i64,
}

async fn ask_often(echo: Addr<Echo>, asks: i64, answers: &Mutex<Answers>) {
    let mut answers = answers.lock().unwrap();
    for i in 0..asks {
        let before = Instant::now();
        let answer = echo.send(Query(i)).await.unwrap();
        answers.latencies.add(before);
        answers.right += (answer == i + 1) as i64;
    }
}

struct Asker {
    echo: Addr<Echo>,
    answers: Arc<Mutex<Answers>>,
    finished: Arc<Countdown>,
}
impl Actor for Asker {
    type Context = Context<Self>;
}
impl Handler<Number> for Asker {
    type Result = ();
    fn handle(&mut self, m: Number, context: &mut Context<Self>) {
        let (echo, answers) = (self.echo.clone(), self.answers.clone());
        let finished = self.finished.clone();
        let asking = async move {
            ask_often(echo, m.0, &answers).await;
            finished.one();
        };
        context.spawn(asking.into_actor(self));
    }
}

fn answered(setup: &Setup, took: (f64, f64), answers: &Mutex<Answers>) -> Outcome {
    let mut answers = answers.lock().unwrap();
    let figures = answers.latencies.figures();
    let mut outcome = Outcome { messages: setup.size, took, figures, ..Default::default() };
    outcome.check("right answers", answers.right, setup.size);
    outcome
}

fn new_answers(setup: &Setup) -> Arc<Mutex<Answers>> {
    Arc::new(Mutex::new(Answers { latencies: Latencies::new(setup.size), right: 0 }))
}

fn ask(setup: &Setup) -> Outcome {
    let threads = Threads::new(setup);
    let (answers, finished) = (new_answers(setup), Countdown::new(1));
    let echo = threads.start(if setup.apart { 1 } else { 0 }, Echo);
    let asker = Asker { echo, answers: answers.clone(), finished: finished.clone() };
    let asker = threads.start(0, asker);
    let watch = Stopwatch::start();
    asker.do_send(Number(setup.size));
    finished.wait();
    let took = watch.stop();
    threads.stop();
    answered(setup, took, &answers)
}

/// Each ask blocks a thread that runs no actors.
fn ask_thread(setup: &Setup) -> Outcome {
    let threads = Threads::new(setup);
    let echo = threads.start(0, Echo);
    let mut answers = Answers { latencies: Latencies::new(setup.size), right: 0 };
    let watch = Stopwatch::start();
    for i in 0..setup.size {
        let before = Instant::now();
        let answer = threads._system.block_on(echo.send(Query(i))).unwrap();
        answers.latencies.add(before);
        answers.right += (answer == i + 1) as i64;
    }
    let took = watch.stop();
    threads.stop();
    answered(setup, took, &Mutex::new(answers))
}

fn main() {
    let cold = |mut workload: harness::Workload| {
        workload.warm_up = false;
        workload
    };
    harness::main(
        if std::env::args().any(|word| word == "--apart") { "actix-apart" } else { "actix-together" },
        &[
            workload("ping-pong", 5_000_000, ping_pong),
            workload("ping-pong-1000", 5_000, ping_pong_1000),
            workload("fan-in-1", 4_000_000, fan_in_1),
            workload("fan-in-8", 4_000_000, fan_in_8),
            workload("thread-ring", 5_000_000, thread_ring),
            workload("big", 20_000, big),
            workload("create", 1_000_000, create::create),
            workload("skynet", 1_000_000, create::skynet),
            cold(workload("idle-actors", 1_000_000, create::idle_actors)),
            workload("ask", 1_000_000, ask),
            workload("ask-thread", 50_000, ask_thread),
        ],
    );
}
