//! `setOrientation`, airplane mode, dark mode.

use crate::flow::{
    model::{Switch, Text},
    parse::keys::{ORIENTATIONS, rotation},
    runner::{Run, fault::Fault},
};

impl Run {
    pub(super) async fn set_orientation(&mut self, orientation: &Text) -> Result<(), Fault> {
        let word = self.js.interpolate(orientation).await?;
        let Some(rotation) = rotation(&word) else {
            let known = ORIENTATIONS.map(|(known, _)| known).join(", ");
            return Err(Fault::Invalid(format!("`{word}` is not one of {known}")));
        };
        self.shell(&["settings", "put", "system", "accelerometer_rotation", "0"])
            .await?;
        self.shell(&["settings", "put", "system", "user_rotation", rotation])
            .await?;
        self.size = None;
        self.acted(None).await
    }

    pub(super) async fn airplane_mode(&mut self, switch: Switch) -> Result<(), Fault> {
        let on = match switch {
            Switch::On => true,
            Switch::Off => false,
            Switch::Toggle => {
                let now = self.shell(&["cmd", "connectivity", "airplane-mode"]).await?;
                !String::from_utf8_lossy(&now.stdout).contains("enabled")
            }
        };
        let word = if on { "enable" } else { "disable" };
        self.shell(&["cmd", "connectivity", "airplane-mode", word]).await?;
        self.acted(None).await
    }

    pub(super) async fn dark_mode(&mut self, switch: Switch) -> Result<(), Fault> {
        let on = match switch {
            Switch::On => true,
            Switch::Off => false,
            Switch::Toggle => !self.is_dark().await?,
        };
        let word = if on { "yes" } else { "no" };
        self.shell(&["cmd", "uimode", "night", word]).await?;
        self.acted(None).await
    }

    pub(super) async fn assert_dark_mode(&mut self, dark: bool) -> Result<(), Fault> {
        if self.is_dark().await? == dark {
            return Ok(());
        }
        let (wanted, found) = if dark { ("dark", "light") } else { ("light", "dark") };
        Err(Fault::Assertion(format!(
            "the phone is in {found} mode, not in {wanted} mode"
        )))
    }

    async fn is_dark(&mut self) -> Result<bool, Fault> {
        let mode = self.shell(&["cmd", "uimode", "night"]).await?;
        Ok(String::from_utf8_lossy(&mode.stdout).to_lowercase().contains("yes"))
    }
}
