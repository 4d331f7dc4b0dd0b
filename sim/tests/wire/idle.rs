//! What many phones cost while nothing happens.

use std::{
    io::{ErrorKind, Read},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use farmhand_sim::{
    adb,
    device::Device,
    server::{FixedList, serve},
};

use crate::fake::FakePhone;

/// Far above what the end of a connection takes.
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn two_hundred_phones_listen_and_stop_at_once() {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let phones: Vec<Arc<dyn Device>> = (0..200)
        .map(|number| -> Arc<dyn Device> { FakePhone::new(&format!("phone-{number}")) })
        .collect();
    let mut ports = Vec::new();
    for phone in &phones {
        ports.push(adb::serve(phone.clone(), any_port).await.unwrap());
    }
    let server = serve(Arc::new(FixedList::new(phones)), any_port).await.unwrap();
    let addrs: Vec<SocketAddr> = ports.iter().map(|port| port.addr).collect();
    let mut hosts: Vec<TcpStream> = addrs.iter().map(|addr| TcpStream::connect(addr).unwrap()).collect();

    for port in ports {
        port.stop().await;
    }
    server.stop().await;

    // Whether the ports themselves are free again cannot be asked: others may have been given them by now.
    for host in &mut hosts {
        host.set_read_timeout(Some(LIMIT)).unwrap();
        let ended = host.read(&mut [0; 1]);
        assert!(matches!(
            ended.map_err(|error| error.kind()),
            Ok(0) | Err(ErrorKind::ConnectionReset)
        ));
    }
}
