//! Drains: nothing starts any more on the farm or on a device, what runs comes to its own end.

use actix_web::web;
use farmhand_actors::domain::Drain;
use serde_json::json;

use super::{
    body::NoFields,
    device::{parse_serial, show},
    envelope::{Answer, instant, success},
    state::App,
};

/// `POST /api/v1/drain`
pub async fn drain(_: NoFields, app: web::Data<App>) -> Answer {
    set_farm(&app, true).await
}

/// `POST /api/v1/resume`
pub async fn resume(_: NoFields, app: web::Data<App>) -> Answer {
    set_farm(&app, false).await
}

/// `POST /api/v1/device/{serial}/drain`
pub async fn drain_device(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    set_device(&app, &path, true).await
}

/// `POST /api/v1/device/{serial}/resume`
pub async fn resume_device(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    set_device(&app, &path, false).await
}

async fn set_farm(app: &App, draining: bool) -> Answer {
    let drains = app.state.tasks.set_drain(None, draining).await?;
    let farm = drains.iter().find(|drain| drain.serial.is_none());
    let devices: Vec<_> = drains.iter().filter_map(|drain| drain.serial.as_ref()).collect();
    Ok(success(&json!({
        "draining": farm.is_some(),
        "since": farm.map(|Drain { since, .. }| instant(*since)),
        "drained_devices": devices,
        "running": app.state.reads.leases().await?.len(),
    })))
}

async fn set_device(app: &App, path: &str, draining: bool) -> Answer {
    let serial = parse_serial(path)?;
    app.state.farm.device(serial.clone()).await?;
    app.state.tasks.set_drain(Some(serial.clone()), draining).await?;
    show(app, &app.state.farm.device(serial).await?).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::http::testing::Api;

    #[actix_web::test]
    async fn a_farm_is_drained_and_resumed_and_says_so_everywhere() {
        let api = Api::new();
        api.health.start();

        let drained = api.post("/api/v1/drain", json!({})).await.data();

        assert_eq!((&drained["draining"], &drained["running"]), (&json!(true), &json!(1)));
        let ready = api.get("/health/ready").await;
        assert_eq!(
            (ready.status.as_u16(), &ready.json()["status"]),
            (200, &json!("draining"))
        );
        assert_eq!(
            api.get("/api/v1/supervisor").await.data()["drains"][0]["serial"],
            json!(null)
        );
        assert_eq!(api.get("/api/v1/device").await.data()["items"][0]["draining"], true);
        let resumed = api.post("/api/v1/resume", json!({})).await.data();
        assert_eq!((&resumed["draining"], &resumed["since"]), (&json!(false), &json!(null)));
        assert_eq!(api.get("/health/ready").await.json()["status"], "ok");
        assert_eq!(
            api.post("/api/v1/drain", json!({ "hours": 1 })).await.faults(),
            ["hours"]
        );
    }

    #[actix_web::test]
    async fn a_device_is_drained_alone_and_an_unknown_one_is_not_found() {
        let api = Api::new();

        let drained = api.post("/api/v1/device/device_serial_1/drain", json!({})).await.data();

        assert_eq!(drained["draining"], true);
        assert_eq!(
            api.post("/api/v1/device/device_serial_1/resume", json!({}))
                .await
                .data()["draining"],
            false
        );
        assert_eq!(api.post("/api/v1/device/nobody/drain", json!({})).await.code(), 40401);
    }

    #[actix_web::test]
    async fn devices_accounts_and_the_supervisor_show_who_holds_what_since_when() {
        let api = Api::new();

        let lease = api.get("/api/v1/device/device_serial_1").await.data()["lease"].clone();

        assert_eq!(
            (&lease["task_id"], &lease["attempt"], &lease["token"]),
            (&json!(5), &json!(2), &json!("3-17"))
        );
        assert!(
            lease["since"].is_string() && lease["expires_at"].as_str() > lease["since"].as_str(),
            "{lease}"
        );
        assert_eq!(api.get("/api/v1/account/user1").await.data()["lease"], lease);
        let tree = api.get("/api/v1/supervisor").await.data();
        assert_eq!(
            (&tree["leases"][0]["serial"], &tree["leases"][0]["username"]),
            (&json!("device_serial_1"), &json!("user1"))
        );
    }
}
