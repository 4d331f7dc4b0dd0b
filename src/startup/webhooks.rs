//! The sender of messages to webhooks: a task beside the API and the actors.

use std::sync::Arc;

use farmhand_actors::ports::{Clock, MessageSender, WebhookStore};
use tokio_util::sync::CancellationToken;

use super::StartupError;
use crate::{
    settings::Settings,
    store::Store,
    webhook::{Outbound, OutboundParts, TargetPolicy},
};

pub(super) fn start(
    settings: &Settings,
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<Arc<dyn MessageSender>, StartupError> {
    let policy = TargetPolicy::parse(&settings.webhooks.allow).map_err(|problem| StartupError::Setting {
        key: "webhooks.allow",
        problem,
    })?;
    let outbound = Outbound::new(OutboundParts {
        store: Arc::clone(store) as Arc<dyn WebhookStore>,
        clock: Arc::clone(clock),
        events: store.event_watch(),
        settings: settings.webhooks.clone(),
        policy,
    });
    actix_rt::spawn(Arc::clone(&outbound).run(stop.clone()));
    Ok(outbound)
}
