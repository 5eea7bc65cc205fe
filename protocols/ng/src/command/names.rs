//! The names of the commands.

use super::words::words;

words! {
    /// The name of a command.
    Name {
        /// `ping`
        Ping => "ping",
        /// `offer`
        Offer => "offer",
        /// `answer`
        Answer => "answer",
        /// `publish`
        Publish => "publish",
        /// `delete`
        Delete => "delete",
        /// `query`
        Query => "query",
        /// `list`
        List => "list",
        /// `statistics`
        Statistics => "statistics",
        /// `start recording`
        StartRecording => "start recording",
        /// `stop recording`
        StopRecording => "stop recording",
        /// `pause recording`
        PauseRecording => "pause recording",
        /// `block media`
        BlockMedia => "block media",
        /// `unblock media`
        UnblockMedia => "unblock media",
        /// `silence media`
        SilenceMedia => "silence media",
        /// `unsilence media`
        UnsilenceMedia => "unsilence media",
        /// `play media`
        PlayMedia => "play media",
        /// `stop media`
        StopMedia => "stop media",
        /// `play DTMF`
        PlayDtmf => "play DTMF",
        /// `block DTMF`
        BlockDtmf => "block DTMF",
        /// `unblock DTMF`
        UnblockDtmf => "unblock DTMF",
    }
}
