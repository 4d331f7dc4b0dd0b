//! `dumpsys package PKG`: version and permissions of an app.

use crate::commands::{
    Programs, is_system,
    package::{base_apk, version_code},
    stable_id, user_id,
};

/// The report on one package; without a name, on all by their names.
pub(super) fn report(phone: &Programs, words: &[&str]) -> String {
    let apps = phone.handset.apps();
    let Some(name) = words.iter().find(|word| !word.starts_with('-')) else {
        let lines = apps
            .iter()
            .map(|app| format!("  Package [{}] (a1b2c3):\n", app.package));
        return format!("Packages:\n{}", lines.collect::<String>());
    };
    let Some(app) = apps.iter().find(|app| app.package == *name) else {
        return format!("Unable to find package: {name}\n");
    };
    let package = &app.package;
    let path = base_apk(package);
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let flags = if is_system(package) {
        "SYSTEM HAS_CODE ALLOW_BACKUP"
    } else {
        "HAS_CODE ALLOW_CLEAR_USER_DATA"
    };
    let token = stable_id(package, 0x10_0000..0xff_ffff);
    let mut text = format!(
        "Packages:\n  Package [{package}] ({token:x}):\n    userId={user}\n    pkg=Package{{{token:x} {package}}}\n    \
         codePath={folder}\n    versionCode={code} minSdk=26 targetSdk=34\n    versionName={version}\n    \
         signatures=PackageSignatures{{{token:x} version:2, signatures:[{token:x}], past signatures:[]}}\n    \
         pkgFlags=[ {flags} ]\n    dataDir=/data/user/0/{package}\n    timeStamp=2026-01-15 08:30:00\n    \
         firstInstallTime=2026-01-15 08:30:05\n    lastUpdateTime=2026-01-15 08:30:05\n",
        user = user_id(package),
        code = version_code(&app.version),
        version = app.version,
    );
    text.push_str("    requested permissions:\n");
    for permission in &app.requested_permissions {
        text.push_str(&format!("      {permission}\n"));
    }
    text.push_str("    User 0: ceDataInode=1311 installed=true hidden=false suspended=false stopped=false enabled=0\n");
    text.push_str("      runtime permissions:\n");
    for permission in &app.requested_permissions {
        let granted = app.granted_permissions.contains(permission);
        text.push_str(&format!(
            "        {permission}: granted={granted}, flags=[ USER_SENSITIVE_WHEN_GRANTED ]\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stdout};

    #[tokio::test]
    async fn a_package_shows_its_version_and_what_it_was_granted() {
        let bench = Bench::new();
        bench.run("pm grant com.example.app android.permission.CAMERA").await;

        let text = stdout(&bench.run("dumpsys package com.example.app").await);

        assert!(
            text.contains("    versionName=1.2.3\n") && text.contains("versionCode=10203 "),
            "{text}"
        );
        assert!(text.contains("        android.permission.CAMERA: granted=true, "));
        assert!(text.contains("        android.permission.RECORD_AUDIO: granted=false, "));
    }

    #[tokio::test]
    async fn a_missing_package_is_said_to_be_missing() {
        assert_eq!(
            stdout(&Bench::new().run("dumpsys package com.nothing").await),
            "Unable to find package: com.nothing\n"
        );
    }
}
