//! What each command does on the phone, by family.

mod app;
mod assert;
mod clipboard;
mod control;
mod device;
pub mod keys;
mod link;
mod location;
mod media;
mod permissions;
mod random;
mod screenshot;
mod scroll;
mod swipe;
mod tap;

use std::time::Duration;

use farmhand_actors::ports::{ShellCommand, ShellOutput};

use super::{
    model::{Command, Step, Text},
    runner::{Done, Run, fault::Fault, whole_number},
};

impl Run {
    /// Carries out one command.
    pub(in crate::flow) async fn execute(&mut self, step: &Step) -> Result<Done, Fault> {
        match &step.command {
            Command::Tap(tap) => self.tap(step, tap).await?,
            Command::AssertVisible(selector) => self.assert_visible(step, selector).await?,
            Command::AssertNotVisible(selector) => self.assert_not_visible(step, selector).await?,
            Command::AssertTrue(text) => self.assert_true(text).await?,
            Command::AssertScreenshot(wanted) => self.assert_screenshot(wanted).await?,
            Command::ExtendedWait(condition) => self.extended_wait(condition).await?,
            Command::WaitForAnimation(timeout) => self.wait_for_animation(timeout.as_ref()).await?,
            Command::InputText(text) => self.input_text(text).await?,
            Command::InputRandom(kind, length) => self.input_random(*kind, length).await?,
            Command::EraseText(count) => self.erase_text(*count).await?,
            Command::PressKey(_, code) => self.press_key(*code).await?,
            Command::Back => self.press_key(keys::BACK).await?,
            Command::Scroll => self.scroll().await?,
            Command::HideKeyboard => return self.hide_keyboard().await,
            Command::Swipe(swipe) => self.swipe(step, swipe).await?,
            Command::ScrollUntilVisible(scroll) => self.scroll_until_visible(scroll).await?,
            Command::LaunchApp(launch) => self.launch_app(launch).await?,
            Command::StopApp(app) => self.stop_app(app.as_ref()).await?,
            Command::KillApp(app) => self.kill_app(app.as_ref()).await?,
            Command::ClearState(app) => self.clear_state(app.as_ref()).await?,
            Command::ClearKeychain => return Ok(Done::Skipped),
            Command::SetPermissions(app, permissions) => self.set_permissions(app.as_ref(), permissions).await?,
            // Made of steps: the runner has gone into them.
            Command::RunFlow(_) | Command::Repeat(_) | Command::Retry(_) => return Ok(Done::Skipped),
            Command::EvalScript(script) => self.eval_script(script).await?,
            Command::RunScript(script) => return self.run_script(script).await,
            Command::CopyTextFrom(selector) => self.copy_text_from(step, selector).await?,
            Command::PasteText => self.paste_text().await?,
            Command::SetClipboard(text) => self.set_clipboard(text).await?,
            Command::OpenLink(open) => self.open_link(open).await?,
            Command::TakeScreenshot(path, crop) => self.take_screenshot(path, crop.as_deref()).await?,
            Command::StartRecording(path) => self.start_recording(path).await?,
            Command::StopRecording => self.stop_recording().await?,
            Command::AddMedia(items) => self.add_media(items).await?,
            Command::SetLocation(latitude, longitude) => self.set_location(latitude, longitude).await?,
            Command::Travel(points, speed) => self.travel(points, *speed).await?,
            Command::SetOrientation(orientation) => self.set_orientation(orientation).await?,
            Command::AirplaneMode(switch) => self.airplane_mode(*switch).await?,
            Command::DarkMode(switch) => self.dark_mode(*switch).await?,
            Command::AssertDarkMode(dark) => self.assert_dark_mode(*dark).await?,
        }
        Ok(Done::Completed)
    }

    /// A step's own time for its lookup, or what is left of the usual one.
    pub(in crate::flow) async fn lookup_time(
        &self,
        timeout: Option<&Text>,
        usual: Duration,
    ) -> Result<Duration, Fault> {
        match timeout {
            Some(text) => self.millis(text, "timeout").await,
            None => Ok(self.left_of(usual)),
        }
    }

    /// Milliseconds from a text with expressions; negative ones count as 0.
    pub(in crate::flow) async fn millis(&self, text: &str, what: &str) -> Result<Duration, Fault> {
        let number = whole_number(&self.js.interpolate(text).await?, what)?;
        Ok(Duration::from_millis(u64::try_from(number).unwrap_or(0)))
    }

    /// Runs a program on the phone; a non-zero exit code is a fault.
    pub(in crate::flow) async fn shell(&mut self, words: &[&str]) -> Result<ShellOutput, Fault> {
        let output = self.shell_unchecked(words).await?;
        if output.code == 0 {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let said: String = said.trim().chars().take(200).collect();
        Err(Fault::Assertion(format!(
            "`{}` ended with {}: {said}",
            words.join(" "),
            output.code
        )))
    }

    /// Runs a program on the phone, however it ends.
    pub(in crate::flow) async fn shell_unchecked(&mut self, words: &[&str]) -> Result<ShellOutput, Fault> {
        let command = ShellCommand {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            timeout: None,
        };
        self.phone.call(self.phone.driver.shell(command)).await
    }
}
