//! What becomes of connections when their endpoint or their NodePort goes.

use super::*;

#[test]
fn connections_outlive_their_endpoint_and_their_node_port() {
    isolated("tcp::endings::connections_outlive_their_endpoint_and_their_node_port", async {
        let mut scene = Scene::new();
        let (mut client, mut server) = connection(&mut scene).await;
        let other = telling_endpoint().await;
        scene.serve(TCP, &[other]).await;
        assert_eq!(endpoints_of(20).await, BTreeSet::from([other.port]));
        for step in ["the endpoint is another", "there is no endpoint"] {
            client.write_u8(7).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), 7, "{step}");
            server.write_u8(8).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), 8, "{step}");
            scene.serve(TCP, &[]).await;
        }
        let refused = connect().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn connections_end_with_their_endpoint_where_the_service_asks_for_it() {
    isolated(
        "tcp::endings::connections_end_with_their_endpoint_where_the_service_asks_for_it",
        async {
            let other = dead_endpoint().await;
            for (takes, serving) in
                [(vec![other], vec![other]), (vec![other], vec![]), (vec![], vec![])]
            {
                let mut scene = Scene::new();
                let (mut client, mut server) = connection(&mut scene).await;
                client.write_u8(7).await.unwrap();
                assert_eq!(server.read_u8().await.unwrap(), 7);
                let (endpoints, serving) = (takes, Some(serving));
                let target =
                    Target { endpoints, serving, ..target("web", &[other], None).unwrap() };
                scene.take_in(changed([("web", Some(Targets::from([(TCP, target)])))])).await;
                for end in [&mut client, &mut server] {
                    let error = end.read_u8().await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                }
                scene.until("it is over", |it| it.connections == 0).await;
            }
        },
    );
}

#[test]
fn connections_stay_with_an_endpoint_that_serves_and_outlive_a_service_that_is_deleted() {
    let name = "tcp::endings::connections_stay_with_an_endpoint_that_serves_and_outlive_a_service_that_is_deleted";
    isolated(name, async {
        let mut scene = Scene::new();
        let (listener, endpoint) = endpoint().await;
        let serves = target("web", &[endpoint], None).unwrap();
        let takes_nobody = Target { endpoints: vec![], ..serves.clone() };
        let on_port = |target| Some(Targets::from([(TCP, target)]));
        scene.take_in(changed([("web", on_port(serves.clone()))])).await;
        let mut client = connect().await.unwrap();
        let mut server = listener.accept().await.unwrap().0;
        for (step, news) in
            [("all", on_port(serves)), ("no new ones", on_port(takes_nobody)), ("deleted", None)]
        {
            scene.take_in(changed([("web", news)])).await;
            client.write_u8(7).await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), 7, "{step}");
            server.write_u8(8).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), 8, "{step}");
        }
    });
}

/// As connection tracking and IPVS have it, which know of a connection which NodePort it came
/// through and not whose that was.
#[test]
fn where_a_node_port_goes_to_another_service_that_one_says_what_ends() {
    let name = "tcp::endings::where_a_node_port_goes_to_another_service_that_one_says_what_ends";
    isolated(name, async {
        let other = dead_endpoint().await;
        for (before_asks, after_asks, shared, stays) in [
            (false, false, false, true),
            (true, false, false, true),
            (false, true, false, false),
            (true, true, false, false),
            (true, true, true, true),
        ] {
            let mut scene = Scene::new();
            let (listener, endpoint) = endpoint().await;
            let on_port = |service: &str, endpoints: &[EndpointAddress], asks: bool| {
                let target = target(service, endpoints, None).unwrap();
                let serving = target.serving.clone().filter(|_| asks);
                Some(Targets::from([(TCP, Target { serving, ..target })]))
            };
            scene.take_in(changed([("a", on_port("a", &[endpoint], before_asks))])).await;
            let mut client = connect().await.unwrap();
            let mut server = listener.accept().await.unwrap().0;
            let endpoints = if shared { vec![endpoint, other] } else { vec![other] };
            let news = [("a", None), ("b", on_port("b", &endpoints, after_asks))];
            scene.take_in(changed(news)).await;
            let what = format!("{before_asks} {after_asks} {shared}");
            if stays {
                server.write_u8(7).await.unwrap();
            }
            let heard = client.read_u8().await.map_err(|error| error.kind());
            let expected = if stays { Ok(7) } else { Err(ErrorKind::ConnectionReset) };
            assert_eq!(heard, expected, "{what}");
        }
    });
}
