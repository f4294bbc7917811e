//! Ractor's whole workloads.

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, RpcReplyPort};
use tasks::Framework;

struct Ractor;
struct Holder;

enum Message {
    Shared(tasks::Message<Ractor>),
    Query(i64, RpcReplyPort<i64>),
}

impl Actor for Holder {
    type Msg = Message;
    type State = tasks::Actor<Ractor>;
    type Arguments = tasks::Actor<Ractor>;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        actor: tasks::Actor<Ractor>,
    ) -> Result<Self::State, ActorProcessingErr> {
        actor.started();
        Ok(actor)
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        message: Message,
        actor: &mut tasks::Actor<Ractor>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Shared(message) => {
                if actor.handle(&me, message) {
                    me.stop(None);
                }
            }
            Message::Query(value, reply) => {
                let _ = reply.send(value + 1);
            }
        }
        Ok(())
    }
}

impl Framework for Ractor {
    type Ref = ActorRef<Message>;
    fn spawn(actor: tasks::Actor<Self>) -> Self::Ref {
        ActorRuntime::spawn_instant(None, Holder, actor).unwrap().0
    }
    fn tell(to: &Self::Ref, message: tasks::Message<Self>) {
        let _ = to.send_message(Message::Shared(message)); // what is lost is missed in the count
    }
    async fn ask(to: &Self::Ref, value: i64) -> i64 {
        match to.call(|reply| Message::Query(value, reply), None).await {
            Ok(answer) => answer.unwrap_or(-1),
            Err(_) => -1,
        }
    }
}

fn main() {
    harness::main("ractor", &tasks::workloads::<Ractor>())
}
