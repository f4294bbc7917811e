//! Kameo's whole workloads, with unbounded mailboxes.

use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::Context;
use tasks::Framework;

struct Kameo;
struct Holder(tasks::Actor<Kameo>);
struct Query(i64);

impl kameo::Actor for Holder {
    type Args = tasks::Actor<Kameo>;
    type Error = kameo::error::Infallible;

    async fn on_start(actor: Self::Args, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        actor.started();
        Ok(Holder(actor))
    }
}

impl kameo::message::Message<tasks::Message<Kameo>> for Holder {
    type Reply = ();
    async fn handle(&mut self, m: tasks::Message<Kameo>, context: &mut Context<Self, ()>) {
        if self.0.handle(context.actor_ref(), m) {
            context.stop();
        }
    }
}

impl kameo::message::Message<Query> for Holder {
    type Reply = i64;
    async fn handle(&mut self, m: Query, _: &mut Context<Self, i64>) -> i64 {
        m.0 + 1
    }
}

impl Framework for Kameo {
    type Ref = ActorRef<Holder>;
    fn spawn(actor: tasks::Actor<Self>) -> Self::Ref {
        Holder::spawn_with_mailbox(actor, mailbox::unbounded())
    }
    fn tell(to: &Self::Ref, message: tasks::Message<Self>) {
        let _ = to.tell(message).try_send(); // what is lost is missed in the count
    }
    async fn ask(to: &Self::Ref, value: i64) -> i64 {
        to.ask(Query(value)).await.unwrap_or(-1)
    }
}

fn main() {
    harness::main("kameo", &tasks::workloads::<Kameo>())
}
