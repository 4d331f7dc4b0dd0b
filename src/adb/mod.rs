//! Phones through the adb server: the only room that names adb_client.
