//! `setLocation`, `travel`: by the location service's own test provider (Android 12 and later).

use std::time::Duration;

use crate::flow::{
    model::Text,
    runner::{Run, fault::Fault},
};

/// Places that each leg of a journey is divided into; as upstream.
const STEPS_PER_LEG: u32 = 50;
/// Mean radius of the earth, metres.
const EARTH: f64 = 6_371_000.0;

impl Run {
    pub(super) async fn set_location(&mut self, latitude: &Text, longitude: &Text) -> Result<(), Fault> {
        let latitude = self.coordinate(latitude, "latitude", 90.0).await?;
        let longitude = self.coordinate(longitude, "longitude", 180.0).await?;
        self.prepare_location().await?;
        self.place(latitude, longitude).await
    }

    pub(super) async fn travel(&mut self, points: &[Text], speed: f64) -> Result<(), Fault> {
        let mut places = Vec::new();
        for point in points {
            let text = self.js.interpolate(point).await?;
            let Some((latitude, longitude)) = text.split_once(',') else {
                return Err(Fault::Invalid(format!(
                    "`{text}` is not a place: write `latitude,longitude`"
                )));
            };
            let latitude = self.coordinate(&latitude.into(), "latitude", 90.0).await?;
            places.push((latitude, self.coordinate(&longitude.into(), "longitude", 180.0).await?));
        }
        self.prepare_location().await?;
        let mut last: Option<(f64, f64)> = None;
        for (latitude, longitude) in places {
            if let Some((from_latitude, from_longitude)) = last {
                let metres = distance((from_latitude, from_longitude), (latitude, longitude));
                let pause = Duration::try_from_secs_f64(metres / speed / f64::from(STEPS_PER_LEG)).unwrap_or_default();
                for step in 1..STEPS_PER_LEG {
                    let part = f64::from(step) / f64::from(STEPS_PER_LEG);
                    let between = |from: f64, to: f64| from + (to - from) * part;
                    self.phone.wait(pause).await?;
                    self.place(between(from_latitude, latitude), between(from_longitude, longitude))
                        .await?;
                }
                self.phone.wait(pause).await?;
            }
            self.place(latitude, longitude).await?;
            last = Some((latitude, longitude));
        }
        Ok(())
    }

    async fn coordinate(&self, text: &Text, what: &str, limit: f64) -> Result<f64, Fault> {
        let value = self.js.interpolate(text).await?;
        let number = value.trim().parse::<f64>().ok().filter(|number| number.abs() <= limit);
        number.ok_or_else(|| Fault::Invalid(format!("`{what}` must be from -{limit} to {limit}, not `{value}`")))
    }

    async fn prepare_location(&mut self) -> Result<(), Fault> {
        self.shell(&["appops", "set", "com.android.shell", "android:mock_location", "allow"])
            .await?;
        let providers = ["cmd", "location", "providers"];
        // It may be there from before, which the phone calls an error.
        self.shell_unchecked(&[&providers[..], &["add-test-provider", "gps"]].concat())
            .await?;
        self.shell(&[&providers[..], &["set-test-provider-enabled", "gps", "true"]].concat())
            .await?;
        Ok(())
    }

    async fn place(&mut self, latitude: f64, longitude: f64) -> Result<(), Fault> {
        let place = format!("{latitude},{longitude}");
        let words = [
            "cmd",
            "location",
            "providers",
            "set-test-provider-location",
            "gps",
            "--location",
            &place,
        ];
        self.shell(&words).await?;
        self.last_action = tokio::time::Instant::now();
        Ok(())
    }
}

/// Metres between two places (haversine).
fn distance(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let a = half(from.0, to.0) + from.0.to_radians().cos() * to.0.to_radians().cos() * half(from.1, to.1);
    2.0 * EARTH * a.sqrt().min(1.0).asin()
}
