//! `pm` and `cmd package`: installed apps (`PackageManagerShellCommand`).

use super::{
    Programs, apk,
    intent::{Component, Intent},
    is_system,
    reply::{
        Answer, Arguments, exception, failed, illegal_argument, printed, printed_failure, silent, unknown_command,
    },
    stable_id, user_id,
};
use crate::handset::InstalledApp;

/// Runs `pm` (and `cmd package`); `stdin` is the file of a streamed install.
pub(super) fn run(phone: &Programs, arguments: &[String], stdin: &[u8]) -> Answer {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(printed_failure(
            255,
            "Package manager (package) commands:\n  help\n    Print this help text.\n",
        ));
    };
    let mut arguments = Arguments::new(name, rest);
    match name.as_str() {
        "list" => list(phone, &mut arguments),
        "path" => path(phone, &mut arguments),
        "clear" => clear(phone, &mut arguments),
        "grant" | "revoke" => set_permission(phone, &mut arguments),
        "install" => install(phone, &mut arguments, stdin),
        "uninstall" => uninstall(phone, &mut arguments),
        "resolve-activity" => resolve_activity(phone, &mut arguments),
        "enable" | "disable" | "disable-user" | "default-state" => set_enabled(phone, &mut arguments),
        "get-install-location" => Ok(printed("0[auto]\n")),
        "get-max-users" => Ok(printed("Maximum supported users: 4\n")),
        "trim-caches" | "set-install-location" | "compile" | "bg-dexopt-job" => Ok(silent()),
        _ => Ok(unknown_command(name)),
    }
}

/// Where a package's file lies; the two random words of a real path are made from the name.
pub(super) fn base_apk(package: &str) -> String {
    if is_system(package) {
        let folder = package.rsplit('.').next().unwrap_or(package);
        return format!("/system/app/{folder}/{folder}.apk");
    }
    let word = |salt: &str| {
        let id = stable_id(&format!("{salt}{package}"), 0..u32::MAX);
        format!("{id:08x}{:08x}qLmT7w==", id.rotate_left(13))
    };
    format!("/data/app/~~{}/{package}-{}/base.apk", word("folder"), word("package"))
}

fn installed(phone: &Programs, package: &str) -> Option<InstalledApp> {
    phone.handset.apps().into_iter().find(|app| app.package == package)
}

fn skip_options(arguments: &mut Arguments<'_>) -> Result<(), crate::device::Completion> {
    while let Some(option) = arguments.next_option() {
        if option == "--user" {
            arguments.required()?;
        }
    }
    Ok(())
}

fn list(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    match arguments.next() {
        Some("packages" | "package") => list_packages(phone, arguments),
        Some("users") => Ok(printed("Users:\n\tUserInfo{0:Owner:4c13} running\n")),
        Some("features") => Ok(printed(
            "feature:reqGlEsVersion=0x30002\nfeature:android.hardware.camera\nfeature:android.hardware.touchscreen\n\
             feature:android.hardware.wifi\nfeature:android.software.input_methods\n",
        )),
        Some("permissions" | "permission-groups" | "libraries" | "instrumentation") => Ok(silent()),
        Some(other) => Ok(printed_failure(255, format!("Error: unknown list type '{other}'\n"))),
        None => Ok(printed_failure(255, "Error: didn't specify type of data to list\n")),
    }
}

fn list_packages(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    let (mut paths, mut installers, mut users, mut third_party, mut system, mut disabled) =
        (false, false, false, false, false, false);
    let mut versions = false;
    while let Some(option) = arguments.next_option() {
        match option {
            "-f" => paths = true,
            "-i" => installers = true,
            "-U" => users = true,
            "-3" => third_party = true,
            "-s" => system = true,
            "-d" => disabled = true,
            "--show-versioncode" => versions = true,
            "-e" | "-a" | "-u" | "-l" | "-q" | "--apex-only" | "--factory-only" => {}
            "--user" | "--uid" => drop(arguments.required()?),
            _ => return Ok(printed_failure(255, format!("Error: Unknown option: {option}\n"))),
        }
    }
    let filter = arguments.next().unwrap_or_default();
    let mut text = String::new();
    for app in phone.handset.apps() {
        let package = &app.package;
        let hidden = (third_party && is_system(package)) || (system && !is_system(package)) || disabled;
        if hidden || !package.contains(filter) {
            continue;
        }
        text.push_str("package:");
        if paths {
            text.push_str(&format!("{}=", base_apk(package)));
        }
        text.push_str(package);
        if versions {
            text.push_str(&format!(" versionCode:{}", version_code(&app.version)));
        }
        if installers {
            let installer = if is_system(package) {
                "null"
            } else {
                "com.android.vending"
            };
            text.push_str(&format!("  installer={installer}"));
        }
        if users {
            text.push_str(&format!(" uid:{}", user_id(package)));
        }
        text.push('\n');
    }
    Ok(printed(text))
}

/// A version code that goes with a version name: `34.1.2` is 340102.
pub(super) fn version_code(version: &str) -> u64 {
    let parts = version
        .split('.')
        .take(3)
        .map(|part| part.parse::<u64>().unwrap_or(0).min(9_999));
    parts.fold(0, |code, part| code * 100 + part).max(1)
}

fn path(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    skip_options(arguments)?;
    let package = arguments.required()?;
    Ok(match installed(phone, package) {
        Some(_) => printed(format!("package:{}\n", base_apk(package))),
        None => failed(1, ""),
    })
}

fn clear(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    skip_options(arguments)?;
    let package = arguments.required()?;
    Ok(if phone.handset.clear(package) {
        printed("Success\n")
    } else {
        failed(1, "Failed\n")
    })
}

fn set_permission(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    let command = arguments.command();
    skip_options(arguments)?;
    let (package, permission) = (arguments.required()?, arguments.required()?);
    if installed(phone, package).is_none() {
        return Err(illegal_argument(command, &format!("Unknown package: {package}")));
    }
    if phone.handset.set_permission(package, permission, command == "grant") {
        return Ok(silent());
    }
    let error = format!("java.lang.SecurityException: Package {package} has not requested permission {permission}");
    let frame = "com.android.server.pm.permission.PermissionManagerServiceImpl.grantRuntimePermissionInternal(PermissionManagerServiceImpl.java:1480)";
    Err(exception(command, &error, &[frame]))
}

fn set_enabled(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    let command = arguments.command();
    skip_options(arguments)?;
    let package = arguments.required()?;
    if installed(phone, package).is_none() {
        return Err(illegal_argument(command, &format!("Unknown package: {package}")));
    }
    let state = match command {
        "enable" => "enabled",
        "disable-user" => "disabled-user",
        "default-state" => "default",
        _ => "disabled",
    };
    Ok(printed(format!("Package {package} new state: {state}\n")))
}

fn install(phone: &Programs, arguments: &mut Arguments<'_>, stdin: &[u8]) -> Answer {
    let mut size = None;
    let mut grant = false;
    while let Some(option) = arguments.next_option() {
        match option {
            "-S" => size = Some(arguments.required_number::<usize>()?),
            "-g" => grant = true,
            "-i" | "--user" | "--abi" | "--install-location" | "--originating-uri" | "--referrer" | "-p" | "--pkg" => {
                arguments.required()?;
            }
            _ => {}
        }
    }
    let content = match (arguments.next().filter(|path| *path != "-"), size) {
        (Some(path), _) => match phone.files.read(path) {
            Ok(content) => content,
            Err(_) => {
                let text =
                    format!("Error: Unable to open file: {path}\nConsider using a file under /data/local/tmp/\n");
                return Ok(failed(255, text));
            }
        },
        (None, Some(size)) => bytes::Bytes::copy_from_slice(stdin.get(..size).unwrap_or(stdin)),
        (None, None) => return Ok(failed(1, "Error: must either specify a package size or an APK file\n")),
    };
    if phone.files.is_full() {
        let text = "Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to allocate space for the package]\n";
        return Ok(printed_failure(1, text));
    }
    match apk::package_of(&content) {
        Ok(package) => {
            phone.handset.install(&package);
            if grant {
                grant_all(phone, &package);
            }
            Ok(printed("Success\n"))
        }
        Err(reason) => Ok(printed_failure(1, format!("Failure [{reason}]\n"))),
    }
}

fn grant_all(phone: &Programs, package: &str) {
    for app in phone.handset.apps().iter().filter(|app| app.package == package) {
        for permission in &app.requested_permissions {
            phone.handset.set_permission(package, permission, true);
        }
    }
}

fn uninstall(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    skip_options(arguments)?;
    let package = arguments.required()?;
    Ok(if is_system(package) && installed(phone, package).is_some() {
        printed_failure(1, "Failure [DELETE_FAILED_INTERNAL_ERROR]\n")
    } else if phone.handset.uninstall(package) {
        printed("Success\n")
    } else {
        printed_failure(1, "Failure [not installed for 0]\n")
    })
}

fn resolve_activity(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    let mut brief = false;
    // `resolve-activity` takes an intent; a bare package means its launcher activity.
    let intent = Intent::parse(arguments, |option, arguments| match option {
        "--brief" => {
            brief = true;
            Ok(true)
        }
        "--components" | "--query-flags" => Ok(true),
        _ => super::am::user_option(option, arguments),
    })?;
    let package = intent
        .package
        .as_deref()
        .or(intent.component.as_ref().map(|component| component.package.as_str()));
    let launcher = package
        .and_then(|package| installed(phone, package))
        .and_then(|app| app.launcher);
    let Some(component) = launcher.as_deref().and_then(Component::parse) else {
        return Ok(printed("No activity found\n"));
    };
    if brief {
        let head = "priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true";
        return Ok(printed(format!("{head}\n{}\n", component.short())));
    }
    Ok(printed(format!(
        "priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true\nActivityInfo:\n  name={}\n  \
         packageName={}\n  enabled=true exported=true directBootAware=false\n",
        component.class, component.package
    )))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn packages_are_listed_with_what_was_asked_for() {
        let bench = Bench::new();

        let all = stdout(&bench.run("pm list packages").await);
        assert_eq!(
            all,
            "package:com.android.settings\npackage:com.example.app\npackage:com.github.uiautomator\n"
        );
        let third_party = stdout(&bench.run("pm list packages -3 example").await);
        assert_eq!(third_party, "package:com.example.app\n");
        let full = stdout(&bench.run("pm list packages -f -U -i com.example").await);
        assert!(full.starts_with("package:/data/app/~~"), "{full}");
        assert!(
            full.contains("/base.apk=com.example.app  installer=com.android.vending uid:10"),
            "{full}"
        );
    }

    #[tokio::test]
    async fn the_path_of_a_missing_package_is_silence_and_exit_1() {
        let bench = Bench::new();

        let there = bench.run("pm path com.example.app").await;
        assert!(stdout(&there).starts_with("package:/data/app/~~") && stdout(&there).ends_with("/base.apk\n"));
        let missing = bench.run("pm path com.nothing").await;
        assert_eq!(
            (stdout(&missing), stderr(&missing), missing.code),
            (String::new(), String::new(), 1)
        );
    }

    #[tokio::test]
    async fn clear_and_uninstall_say_whether_they_did_it() {
        let bench = Bench::new();
        let cases = [
            ("pm clear com.example.app", "Success\n", 0),
            ("pm uninstall com.example.app", "Success\n", 0),
            ("pm uninstall com.example.app", "Failure [not installed for 0]\n", 1),
            (
                "cmd package uninstall com.android.settings",
                "Failure [DELETE_FAILED_INTERNAL_ERROR]\n",
                1,
            ),
        ];
        for (command, expected, code) in cases {
            let completion = bench.run(command).await;
            assert_eq!(
                (stdout(&completion).as_str(), completion.code),
                (expected, code),
                "{command}"
            );
        }
        let cleared = bench.run("pm clear com.nothing").await;
        assert_eq!((stderr(&cleared).as_str(), cleared.code), ("Failed\n", 1));
    }

    #[tokio::test]
    async fn a_permission_that_was_not_requested_cannot_be_granted() {
        let bench = Bench::new();

        let granted = bench.run("pm grant com.example.app android.permission.CAMERA").await;
        assert_eq!((stderr(&granted), granted.code), (String::new(), 0));
        let refused = bench.run("pm grant com.example.app android.permission.NOPE").await;
        assert!(stderr(&refused).contains("has not requested permission android.permission.NOPE"));
        assert_eq!(refused.code, 255);
    }

    #[tokio::test]
    async fn a_streamed_file_is_installed_under_the_name_in_its_manifest() {
        let bench = Bench::new();
        let apk = crate::commands::apk::building::dummy_apk("com.new.app");
        let command = format!("cmd package install -r -S {}", apk.len());

        let completion = bench.run_with_stdin(&command, apk).await;

        assert_eq!((stdout(&completion).as_str(), completion.code), ("Success\n", 0));
        assert_eq!(bench.handset.calls(), ["install com.new.app"]);
    }

    #[tokio::test]
    async fn what_is_no_package_is_refused_with_a_reason() {
        let bench = Bench::new();

        let streamed = bench
            .run_with_stdin("cmd package install -S 5", b"hello".to_vec())
            .await;
        assert!(
            stdout(&streamed).starts_with("Failure [INSTALL_PARSE_FAILED_NOT_APK"),
            "{}",
            stdout(&streamed)
        );
        assert_eq!(streamed.code, 1);
        let absent = bench.run("pm install /data/local/tmp/absent.apk").await;
        assert!(stderr(&absent).starts_with("Error: Unable to open file: /data/local/tmp/absent.apk\n"));
        assert!(bench.handset.calls().is_empty());
    }

    #[tokio::test]
    async fn the_launcher_activity_is_resolved_briefly() {
        let bench = Bench::new();

        let found = bench.run("cmd package resolve-activity --brief com.example.app").await;
        assert!(stdout(&found).ends_with("\ncom.example.app/.Main\n"));
        let missing = bench.run("cmd package resolve-activity --brief com.nothing").await;
        assert_eq!((stdout(&missing).as_str(), missing.code), ("No activity found\n", 0));
    }
}
