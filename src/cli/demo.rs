//! `farmhand demo`: the controller with simulated phones, nothing to install.

use std::path::{Path, PathBuf};

use farmhand_actors::{
    domain::{DeviceState, Limits, Serial, Username},
    supervisor::{NewAccount, SupervisorError, SupervisorHandle},
};
use farmhand_sim::simulator::{PhoneSpec, Simulator, SimulatorOptions};

use super::{
    CliError, output,
    serve::{Serve, ended, failed, in_system},
};
use crate::{
    settings::{AuthMode, Settings},
    startup::Application,
    telemetry,
};

/// The app of the demo's accounts.
const APP: &str = "tiktok";
/// Accounts of each phone.
const ACCOUNTS_PER_PHONE: u32 = 2;
/// What a demo begins with instead of the usual defaults: it must not stop at limits made for real apps, and whoever
/// tries things out posts the same thing twice. What is set anywhere wins.
const DEFAULTS: &str = "
[duplicates]
window_h = 0
[limits.post]
per_hour = 10000
per_day = 10000
[limits.follow]
per_hour = 10000
per_day = 10000
[limits.unfollow]
per_hour = 10000
per_day = 10000
";

/// Longest wait for a simulated phone to come online.
const ONLINE_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// The demo's media, for when the program runs outside of its repository.
const MEDIA: [(&str, &[u8]); 7] = [
    ("video1.mp4", include_bytes!("../../examples/media/video1.mp4")),
    ("video2.mp4", include_bytes!("../../examples/media/video2.mp4")),
    ("video3.mp4", include_bytes!("../../examples/media/video3.mp4")),
    ("image1.jpg", include_bytes!("../../examples/media/image1.jpg")),
    ("image2.jpg", include_bytes!("../../examples/media/image2.jpg")),
    ("image3.jpg", include_bytes!("../../examples/media/image3.jpg")),
    ("image4.png", include_bytes!("../../examples/media/image4.png")),
];

/// Runs the demo until Ctrl-C or SIGTERM.
pub fn run(serve: &Serve) -> Result<(), CliError> {
    let mut settings = serve.settings(DEFAULTS)?;
    telemetry::start(&settings.log).map_err(CliError::Usage)?;
    in_system(async {
        let phones = settings.sim.phones;
        let options = SimulatorOptions {
            phones: (1..=phones).map(phone).collect(),
            base_port: None,
            control_port: settings.sim.control_port,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.map_err(failed)?;
        adapt(&mut settings, &simulator)?;
        let keys = (settings.auth.mode == AuthMode::Keys).then(|| settings.data_dir.clone());
        let application = Application::start(settings).await.map_err(failed)?;
        bind_accounts(application.supervisor(), phones).await?;
        output::print(&welcome(&application, &simulator, phones, keys.as_deref()))?;
        let result = application.run_until(ended()).await.map_err(failed);
        simulator.stop().await;
        result
    })
}

fn serial(number: u32) -> String {
    format!("device_serial_{number}")
}

/// `user1` and `user2` for the first phone, `user3` and `user4` for the second …
fn usernames(number: u32) -> impl Iterator<Item = String> {
    let first = number.saturating_sub(1).saturating_mul(ACCOUNTS_PER_PHONE);
    (1..=ACCOUNTS_PER_PHONE).map(move |place| format!("user{}", first.saturating_add(place)))
}

fn phone(number: u32) -> PhoneSpec {
    let mut spec = PhoneSpec::new(serial(number));
    spec.accounts = usernames(number).map(|username| (APP.to_owned(), username)).collect();
    spec
}

/// The demo keeps to its own folder and its own phones.
fn adapt(settings: &mut Settings, simulator: &Simulator) -> Result<(), CliError> {
    settings.data_dir = settings.data_dir.join("demo");
    settings.adb.servers = vec![simulator.server().to_string()];
    settings.adb.start_server = false;
    settings.devices.clear();
    let media = media_folder(&settings.data_dir)?;
    settings.media.roots.push(media.display().to_string());
    for prefix in ["C:/Videos", "C:/Images"] {
        let known = settings.media.path_map.entry(prefix.to_owned());
        known.or_insert_with(|| media.display().to_string());
    }
    Ok(())
}

/// `examples/media` of the repository, or a copy of it in the demo's folder.
fn media_folder(data: &Path) -> Result<PathBuf, CliError> {
    let repository = Path::new("examples/media");
    if repository.join("video1.mp4").is_file() {
        return repository.canonicalize().map_err(failed);
    }
    let folder = data.join("media");
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for (name, content) in MEDIA {
        std::fs::write(folder.join(name), content).map_err(failed)?;
    }
    folder.canonicalize().map_err(failed)
}

/// The watcher needs a moment to see the phones.
async fn await_online(supervisor: &SupervisorHandle, serial: &Serial) -> Result<(), CliError> {
    let deadline = tokio::time::Instant::now() + ONLINE_WITHIN;
    loop {
        match supervisor.device(serial.clone()).await {
            Ok(device) if matches!(device.state, DeviceState::Online | DeviceState::Busy) => return Ok(()),
            Ok(_) | Err(SupervisorError::UnknownDevice(_)) => {}
            Err(error) => return Err(failed(error)),
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(CliError::Failed(format!(
                "the simulated phone {serial} did not come online"
            )));
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn bind_accounts(supervisor: &SupervisorHandle, phones: u32) -> Result<(), CliError> {
    for number in 1..=phones {
        let device = Serial::parse(&serial(number)).map_err(failed)?;
        await_online(supervisor, &device).await?;
        for username in usernames(number) {
            let account = NewAccount {
                username: Username::parse(&username).map_err(failed)?,
                app: APP.to_owned(),
                package: None,
                serial: Some(device.clone()),
                disabled: false,
                limits: Limits::new(),
            };
            match supervisor.create_account(account).await {
                Ok(_) | Err(SupervisorError::AccountExists(_)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
    Ok(())
}

/// What to look at and to try; `keys`: the folder of the keys, if one is needed.
fn welcome(application: &Application, simulator: &Simulator, phones: u32, keys: Option<&Path>) -> String {
    let (farm, control) = (application.address(), simulator.control());
    let key = keys.map_or_else(String::new, |folder| {
        let folder = folder.display();
        format!("\nA key is needed: farmhand key create --name demo --data-dir {folder}   (send it as X-API-Key)\n")
    });
    format!(
        "farmhand is ready: http://{farm} (demo: {phones} simulated phones, two accounts on each)\n\
         \n  API documents   http://{farm}/docs\
         \n  health          http://{farm}/health/ready\
         \n  phones' ledger  http://{control}/ledger   (what really happened in the simulated apps)\n\
         {key}\nTry, in another terminal:\n\
         \n  curl -X POST http://{farm}/api/v1/task \\\
         \n    -H \"Content-Type: application/json\" \\\
         \n    -d '{{\"serials\": [\"device_serial_1\"], \"script_name\": \"post\", \"script_config\": {{\
         \n         \"content_type\": 0, \"captions\": \"Check out my new video! #viral #fyp\",\
         \n         \"material_list\": [\"C:/Videos/video1.mp4\"], \"upload_wait_time\": 60}}}}'\n\
         \n  curl http://{farm}/api/v1/task/1   (1: the id that the answer names)\
         \n  curl http://{control}/ledger\n\
         \nCtrl-C ends it.\n"
    )
}
