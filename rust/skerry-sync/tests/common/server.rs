//! A scripted server (filled below).
