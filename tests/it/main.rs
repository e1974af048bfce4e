//! The whole server, tested from outside: each test starts its own and speaks to it over sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod air;
mod air_api;
mod air_faults;
mod air_nginx;
mod air_sink;
mod air_twitter;
mod api;
mod bad_input;
mod browser;
mod bus;
mod clients;
mod crash;
mod deploy;
mod fault_matrix;
mod follow;
mod football;
mod gallery;
mod harness;
mod layers;
mod lease;
mod lifecycle;
mod limits;
mod live_servers;
mod ll_hls;
mod openapi;
mod packs;
mod program;
mod publish_cli;
mod pull_hls;
mod pull_twitch;
mod push;
mod record;
mod redis;
mod redis_server;
mod rtmp;
mod rtmp_server;
mod scene_ws;
mod scenes_api;
mod serve_cli;
mod store;
mod tidy;
mod tools;
mod view;
mod ws;
