//! What many phones cost while nothing happens.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use farmhand_sim::{
    adb,
    device::Device,
    server::{FixedList, serve},
};

use crate::fake::FakePhone;

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
    assert!(addrs.iter().all(|addr| std::net::TcpStream::connect(addr).is_ok()));

    for port in ports {
        port.stop().await;
    }
    server.stop().await;

    assert!(addrs.iter().all(|addr| std::net::TcpStream::connect(addr).is_err()));
}
