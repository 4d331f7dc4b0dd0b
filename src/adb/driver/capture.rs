//! Taking pictures of the screen: by the cheaper way, once for all who ask within their age, and with a word on whether a
//! black one is the app's wish, a screen that is off, or simply black.

use std::{sync::Arc, time::Instant};

use farmhand_actors::{
    domain::{Freshness, ScreenCapture, ScreenContent, Screenshot},
    ports::DriverError,
};

use super::{
    call::{AdbDriver, problem_of},
    picture, png, secure,
};
use crate::adb::{phone::lock, quote::CommandLine, screens::CaptureWay, settings::millis};

const OP: &str = "screenshot";

/// The largest header of a raw picture.
const PICTURE_HEADER_BYTES: usize = 16;
const RGBA_BYTES: usize = 4;

/// Whether the screen is on, and what its windows are like.
const SCREEN_STATE: &str = "dumpsys power 2>/dev/null; dumpsys window 2>/dev/null; exit 0";

impl AdbDriver {
    pub(super) async fn capture_screen(&self, freshness: Freshness) -> Result<Arc<ScreenCapture>, DriverError> {
        match freshness {
            Freshness::Fresh => self.capture_now().await,
            Freshness::Shared => self.capture_shared().await,
        }
    }

    /// One capture at a time for each phone; who has waited for it is served by it.
    async fn capture_shared(&self) -> Result<Arc<ScreenCapture>, DriverError> {
        let asked = Instant::now();
        let deadline = millis(self.phones.settings.deadlines.screenshot_ms);
        let _flight = self.turn(OP, deadline, &self.phone.capture).await?;
        let screens = &self.phones.screens;
        if let Some(capture) = screens.find(&self.phone.serial, asked) {
            return Ok(capture);
        }
        // Phones that hang hold their places for as long as that, and no longer.
        let _place = self.place(OP, deadline, &screens.places).await?;
        let begun = Instant::now();
        let capture = self.capture_now().await?;
        screens.keep(&self.phone.serial, begun, &capture);
        Ok(capture)
    }

    async fn capture_now(&self) -> Result<Arc<ScreenCapture>, DriverError> {
        let picture = self.take_screenshot().await?;
        let content = if secure::is_suspect(&picture) {
            self.content_of_black(&picture).await
        } else {
            ScreenContent::Visible
        };
        Ok(Arc::new(ScreenCapture { picture, content }))
    }

    /// Asked only about black pictures: the answer costs the phone more than a heartbeat.
    async fn content_of_black(&self, picture: &Screenshot) -> ScreenContent {
        let deadline = millis(self.phones.settings.deadlines.query_ms);
        let line = CommandLine::script(SCREEN_STATE);
        match self.query("screen_state", deadline, &line).await {
            Ok(output) => {
                let all_black = secure::is_all_black(picture);
                secure::content_of(&String::from_utf8_lossy(&output.stdout), all_black)
            }
            Err(_) => ScreenContent::Visible,
        }
    }

    pub(super) async fn take_screenshot(&self) -> Result<Screenshot, DriverError> {
        let way = lock(&self.phone.capture_costs).choose(self.phones.settings.screens.measure_every);
        match self.take_picture(way).await {
            // The other way may do: old or changed systems lack one of them.
            Err(DriverError::Refused { .. }) => self.take_picture(way.other()).await,
            ended => ended,
        }
    }

    async fn take_picture(&self, way: CaptureWay) -> Result<Screenshot, DriverError> {
        let begun = Instant::now();
        let taken = self.read_picture(way).await;
        let mut costs = lock(&self.phone.capture_costs);
        match &taken {
            Ok(_) => costs.measured(way, begun.elapsed()),
            Err(DriverError::Refused { .. }) => costs.refused(way),
            Err(_) => {}
        }
        drop(costs);
        taken
    }

    async fn read_picture(&self, way: CaptureWay) -> Result<Screenshot, DriverError> {
        let transport = self.transport()?;
        let pixels = self.phones.settings.limits.screenshot_pixels;
        let bytes = pixels.saturating_mul(RGBA_BYTES).saturating_add(PICTURE_HEADER_BYTES);
        let deadline = millis(self.phones.settings.deadlines.screenshot_ms);
        let work = transport.binary(way.command(), bytes);
        let output = self.call(OP, deadline, &transport.server, work).await?;
        if output.code != 0 {
            return Err(self.refused(OP, problem_of(&output)));
        }
        // Unpacking takes milliseconds of CPU, which the other phones of this thread should not wait for.
        let unpacked = tokio::task::spawn_blocking(move || match way {
            CaptureWay::Raw => picture::read(output.stdout, pixels),
            CaptureWay::Png => png::read(&output.stdout, pixels),
        });
        let unpacked = unpacked.await.map_err(|error| self.refused(OP, error.to_string()))?;
        unpacked.map_err(|error| self.refused(OP, error.to_string()))
    }
}
