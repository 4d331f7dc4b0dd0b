//! Asking a phone, within a bound: the answer, or in a line why there is none.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::DeviceInfo,
    ports::{DeviceDriver, DriverError},
};

/// What the phone says of itself.
pub(super) async fn look(driver: Arc<dyn DeviceDriver>, limit: Duration) -> Result<DeviceInfo, String> {
    loop {
        match tokio::time::timeout(limit, driver.info()).await {
            // It was not asked at all, so its silence means nothing.
            Ok(Err(DriverError::Crowded { .. })) => {}
            Ok(answer) => return answer.map_err(|error| error.to_string()),
            Err(_) => return Err(format!("no answer within {limit:?}")),
        }
    }
}

/// Whether the phone is there.
pub(super) async fn heartbeat(driver: Arc<dyn DeviceDriver>, limit: Duration) -> Result<(), String> {
    match tokio::time::timeout(limit, driver.heartbeat()).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer to a heartbeat within {limit:?}")),
    }
}
