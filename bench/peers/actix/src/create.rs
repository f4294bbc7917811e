//! Actors that come and go.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;

use actix::prelude::*;
use harness::{leaves, resident_bytes, Countdown, Outcome, Setup, Stopwatch};

use crate::{Number, Threads};

struct Dayfly {
    sum: Arc<AtomicI64>,
    finished: Arc<Countdown>,
}
impl Actor for Dayfly {
    type Context = Context<Self>;
}
impl Handler<Number> for Dayfly {
    type Result = ();
    fn handle(&mut self, m: Number, context: &mut Context<Self>) {
        self.sum.fetch_add(m.0, Ordering::Relaxed);
        self.finished.one();
        context.stop();
    }
}

/// Starts its actors on its own thread, or every second one on another.
struct Maker {
    other: Option<ArbiterHandle>,
    sum: Arc<AtomicI64>,
    finished: Arc<Countdown>,
}
impl Actor for Maker {
    type Context = Context<Self>;
}
impl Handler<Number> for Maker {
    type Result = ();
    fn handle(&mut self, m: Number, _: &mut Context<Self>) {
        for i in 1..=m.0 {
            let dayfly = Dayfly { sum: self.sum.clone(), finished: self.finished.clone() };
            let started = match &self.other {
                Some(other) if i % 2 == 0 => Dayfly::start_in_arbiter(other, move |_| dayfly),
                _ => dayfly.start(),
            };
            started.do_send(Number(i));
        }
    }
}

fn other_thread(threads: &Threads, setup: &Setup) -> Option<ArbiterHandle> {
    setup.apart.then(|| threads.arbiters[1 % threads.arbiters.len()].handle())
}

pub fn create(setup: &Setup) -> Outcome {
    let threads = Threads::new(setup);
    let (sum, finished) = (Arc::new(AtomicI64::new(0)), Countdown::new(setup.size));
    let other = other_thread(&threads, setup);
    let maker = threads.start(0, Maker { other, sum: sum.clone(), finished: finished.clone() });
    let watch = Stopwatch::start();
    maker.do_send(Number(setup.size));
    finished.wait();
    let mut outcome = Outcome { messages: setup.size, took: watch.stop(), ..Default::default() };
    outcome.check("sum received", sum.load(Ordering::Acquire), setup.size * (setup.size + 1) / 2);
    threads.stop();
    outcome
}

#[derive(Message)]
#[rtype(result = "()")]
struct Grow {
    first: i64,
    leaves: i64,
}

struct Node {
    parent: Recipient<Number>,
    other: Option<ArbiterHandle>, // for every second child; below that, all stay where they are
    sum: i64,
    answers: i64,
}
impl Actor for Node {
    type Context = Context<Self>;
}
impl Handler<Grow> for Node {
    type Result = ();
    fn handle(&mut self, m: Grow, context: &mut Context<Self>) {
        if m.leaves == 1 {
            self.parent.do_send(Number(m.first));
            return context.stop();
        }
        let each = m.leaves / 10;
        for i in 0..10 {
            let parent = context.address().recipient();
            let node = Node { parent, other: None, sum: 0, answers: 0 };
            let child = match &self.other {
                Some(other) if i % 2 == 0 => Node::start_in_arbiter(other, move |_| node),
                _ => node.start(),
            };
            child.do_send(Grow { first: m.first + i * each, leaves: each });
        }
    }
}
impl Handler<Number> for Node {
    type Result = ();
    fn handle(&mut self, m: Number, context: &mut Context<Self>) {
        self.sum += m.0;
        self.answers += 1;
        if self.answers == 10 {
            self.parent.do_send(Number(self.sum));
            context.stop();
        }
    }
}

struct Top(Arc<AtomicI64>, Arc<Countdown>);
impl Actor for Top {
    type Context = Context<Self>;
}
impl Handler<Number> for Top {
    type Result = ();
    fn handle(&mut self, m: Number, _: &mut Context<Self>) {
        self.0.store(m.0, Ordering::Release);
        self.1.one();
    }
}

pub fn skynet(setup: &Setup) -> Outcome {
    let leaves = leaves(setup.size);
    let threads = Threads::new(setup);
    let (sum, finished) = (Arc::new(AtomicI64::new(0)), Countdown::new(1));
    let top = threads.start(0, Top(sum.clone(), finished.clone()));
    let other = other_thread(&threads, setup);
    let watch = Stopwatch::start();
    let root = Node { parent: top.recipient(), other, sum: 0, answers: 0 };
    threads.start(0, root).do_send(Grow { first: 0, leaves });
    finished.wait();
    let mut outcome = Outcome { messages: leaves, took: watch.stop(), ..Default::default() };
    outcome.check("sum of leaves", sum.load(Ordering::Acquire), leaves * (leaves - 1) / 2);
    threads.stop();
    outcome
}

struct Idle(Arc<Countdown>);
impl Actor for Idle {
    type Context = Context<Self>;
    fn started(&mut self, _: &mut Context<Self>) {
        self.0.one();
    }
}

/// Keeps its actors alive by their addresses.
struct House(Vec<Addr<Idle>>);
impl Actor for House {
    type Context = Context<Self>;
}
#[derive(Message)]
#[rtype(result = "()")]
struct Fill(i64, Arc<Countdown>);
impl Handler<Fill> for House {
    type Result = ();
    fn handle(&mut self, m: Fill, _: &mut Context<Self>) {
        self.0.reserve_exact(m.0 as usize);
        self.0.extend((0..m.0).map(|_| Idle(m.1.clone()).start()));
    }
}

pub fn idle_actors(setup: &Setup) -> Outcome {
    let threads = Threads::new(setup);
    let house = threads.start(0, House(Vec::new()));
    let fill = |actors| {
        let started = Countdown::new(actors);
        house.do_send(Fill(actors, started.clone()));
        started.wait();
    };
    fill(1000);
    let before = resident_bytes();
    let watch = Stopwatch::start();
    fill(setup.size);
    let took = watch.stop();
    let bytes = (resident_bytes() - before) as f64;
    let figures = vec![("bytes_each", bytes / setup.size as f64)];
    Outcome { messages: setup.size, took, figures, ..Default::default() }
}
