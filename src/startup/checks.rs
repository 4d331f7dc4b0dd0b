//! What `/health/ready` looks at.

use std::sync::Arc;

use crate::{adb::AdbHandle, http::Check, store::Store};

/// Without the database nothing can be promised.
pub fn database(store: &Arc<Store>) -> Check {
    let store = Arc::clone(store);
    Check {
        name: "database",
        required: true,
        run: Box::new(move || {
            let store = Arc::clone(&store);
            Box::pin(async move { store.ping().await.map_err(|error| error.to_string()) })
        }),
    }
}

/// Tasks can be taken, and wait, while an adb server is away: shown, not required.
pub fn adb(adb: &Arc<AdbHandle>) -> Check {
    let adb = Arc::clone(adb);
    Check {
        name: "adb",
        required: false,
        run: Box::new(move || {
            let away: Vec<String> = adb
                .servers()
                .into_iter()
                .filter(|server| !server.up)
                .map(|server| format!("{}: {}", server.server, server.problem.unwrap_or_default()))
                .collect();
            Box::pin(async move { if away.is_empty() { Ok(()) } else { Err(away.join("; ")) } })
        }),
    }
}
