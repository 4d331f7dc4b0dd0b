//! `openLink`.

use farmhand_actors::domain::Package;

use crate::flow::{
    model::OpenLink,
    runner::{Run, fault::Fault},
};

/// Browsers, the first one that is installed is taken; as upstream.
const BROWSERS: [&str; 2] = ["com.android.chrome", "org.mozilla.firefox"];

impl Run {
    pub(super) async fn open_link(&mut self, open: &OpenLink) -> Result<(), Fault> {
        let link = self.filled(&open.link).await?;
        if let Some(refusal) = self.script.flow().config.extension.policy.refuses_link(&link) {
            return Err(Fault::Policy(refusal));
        }
        let package = match (&open.app_id, open.browser) {
            (Some(app), _) => Some(self.package(Some(app)).await?),
            (None, true) => self.browser().await?,
            (None, false) => None,
        };
        self.phone
            .call(self.phone.driver.open_link(&link, package.as_ref()))
            .await?;
        self.acted(None).await
    }

    async fn browser(&mut self) -> Result<Option<Package>, Fault> {
        for name in BROWSERS {
            let Ok(package) = Package::parse(name) else { continue };
            if self.phone.call(self.phone.driver.has_app(&package)).await? {
                return Ok(Some(package));
            }
        }
        Ok(None)
    }
}
