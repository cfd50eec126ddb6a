//! What a follower says of its trouble, and when it takes that back.

use std::time::Duration;

use kube::Resource;
use kube::runtime::utils::Backoff;
use tokio::time::sleep;

use super::{Follower, Next, RECOVERED_AFTER};
use crate::api::object::ApiObject;
use crate::event::{Notice, SourceEvent};

impl Follower {
    /// Says what is wrong and waits, by default as long as the back-off says.
    pub(super) async fn wait(
        &mut self,
        trouble: String,
        pause: Option<Duration>,
        next: Next,
    ) -> Next {
        if !self.troubled(trouble).await {
            return Next::Stop;
        }
        let pause = pause.or_else(|| self.backoff.next()).unwrap_or(RECOVERED_AFTER);
        tokio::select! {
            () = self.sender.closed() => Next::Stop,
            () = sleep(pause) => next,
        }
    }

    /// Says what is wrong, unless it was said. A single error that passes is not worth a
    /// word: servers restart, and versions to resume from expire. `false` if nobody listens.
    async fn troubled(&mut self, text: String) -> bool {
        self.errors += 1;
        if self.errors == 1 {
            return true;
        }
        if self.unreachable {
            let news = self.outage.is_news(self.kind, &text);
            return self.take_back().await
                && (!news || self.say_of_server(vec![Notice::without_place(text)]).await);
        }
        if self.trouble.as_ref() == Some(&text) {
            return true;
        }
        if !self.outage_is_over().await {
            return false;
        }
        let notice = format!("cannot watch {}: {text}", ApiObject::plural(&self.kind));
        self.trouble = Some(text);
        self.say(vec![Notice::without_place(notice)]).await
    }

    /// Takes back what was said. `false` if nobody listens.
    pub(super) async fn mended(&mut self) -> bool {
        self.errors = 0;
        self.backoff.reset();
        self.outage_is_over().await && self.take_back().await
    }

    async fn take_back(&mut self) -> bool {
        self.trouble.take().is_none() || self.say(Vec::new()).await
    }

    async fn outage_is_over(&self) -> bool {
        !self.outage.is_over(self.kind) || self.say_of_server(Vec::new()).await
    }

    /// What all followers say in the same words.
    async fn say_of_server(&self, problems: Vec<Notice>) -> bool {
        let origin = "API server".to_owned();
        self.sender.send(SourceEvent::Problems { origin, problems }).await.is_ok()
    }

    async fn say(&self, problems: Vec<Notice>) -> bool {
        let origin = format!("API server, {}", ApiObject::plural(&self.kind));
        self.sender.send(SourceEvent::Problems { origin, problems }).await.is_ok()
    }
}
