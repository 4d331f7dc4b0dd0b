//! `takeScreenshot`, `assertScreenshot`.

use farmhand_actors::domain::Screenshot;
use serde_json::json;

use crate::flow::{
    model::{AssertScreenshot, Selector, Text},
    runner::{Run, SCREENSHOT, fault::Fault},
    vision,
};

impl Run {
    pub(super) async fn take_screenshot(&mut self, path: &Text, crop: Option<&Selector>) -> Result<(), Fault> {
        let name = self.file_stem(path).await?;
        let picture = self.photograph(crop).await?;
        let encoded = tokio::task::spawn_blocking(move || vision::encode_png(&picture, None)).await;
        let png = encoded
            .map_err(|error| error.to_string())
            .and_then(|png| png.map_err(|error| error.to_string()))
            .map_err(Fault::Invalid)?;
        if let Some(name) = self.keep_file(format!("{name}.png"), png).await {
            self.note(SCREENSHOT, json!(name));
        }
        Ok(())
    }

    pub(super) async fn assert_screenshot(&mut self, wanted: &AssertScreenshot) -> Result<(), Fault> {
        let text = self.js.interpolate(&wanted.threshold_percent).await?;
        let least: f64 = text
            .trim()
            .parse()
            .map_err(|_| Fault::Invalid(format!("`thresholdPercentage` must be a number, not `{text}`")))?;
        let shown = self.photograph(wanted.crop.as_ref()).await?;
        let Some(share) = vision::share_of_equal_pixels(&shown, &wanted.picture) else {
            return Err(Fault::Assertion(format!(
                "the screen has {}x{} pixels and {} has {}x{}: only pictures of one size can be compared",
                shown.width, shown.height, wanted.file, wanted.picture.width, wanted.picture.height
            )));
        };
        // Rounded for people, compared as it is.
        let percent = share * 100.0;
        self.note("equal_percent", json!((percent * 100.0).round() / 100.0));
        if percent >= least {
            return Ok(());
        }
        Err(Fault::Assertion(format!(
            "{percent:.2} % of the screen is as in {}, wanted are {least} %",
            wanted.file
        )))
    }

    /// A picture of the screen, or of an element that is waited for.
    async fn photograph(&mut self, crop: Option<&Selector>) -> Result<Screenshot, Fault> {
        let area = match crop {
            None => None,
            Some(selector) => {
                let query = self.query(selector).await?;
                let time = self.left_of(self.settings.lookup_timeout);
                let found = self.find(&query, time).await?;
                Some(
                    match found {
                        Some(found) => found,
                        None => return Err(self.not_found(selector, &query).await),
                    }
                    .bounds,
                )
            }
        };
        let picture = self.phone.call(self.phone.driver.screenshot()).await?;
        Ok(match area {
            Some(area) => vision::cut(&picture, area),
            None => picture,
        })
    }
}
