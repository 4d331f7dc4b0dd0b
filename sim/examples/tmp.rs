use farmhand_sim::simulator::*;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let secs: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let s = Simulator::start(SimulatorOptions { phones: SimulatorOptions::numbered_phones(n), base_port: None, ..Default::default() }).await.unwrap();
    println!("{}", s.ready());
    tokio::time::sleep(std::time::Duration::from_secs(secs)).await;
    s.stop().await;
}
