import ArgumentParser
import FactordServer

/// The tool with which a person feeds, asks and watches a daemon.
@main
struct Factorctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "factorctl",
        abstract: "Feeds, asks and watches a factord daemon.",
        discussion: """
            Without options it talks to a daemon on its defaults on this machine. Its sockets can be named by --requests,
            --admin and (where events are sent) --endpoint, or by FACTORD_REQUESTS, FACTORD_ADMIN and FACTORD_EVENTS; keys by
            --server-key and --key, or FACTORD_SERVER_KEY and FACTORD_KEY.

            A first look:
              factorctl simulate --events 200000 --titles-out titles.tsv --evaluate
              factorctl recommend 7 --titles titles.tsv
              factorctl watch
            """,
        version: FactordVersion.text,
        subcommands: [
            Ping.self, Score.self, Recommend.self, Similar.self, Explain.self, Inspect.self, Popular.self, Trending.self, Latest.self,
            Stats.self, Watch.self, Snapshot.self, Publish.self, Simulate.self, Evaluate.self, Train.self, Import.self, Export.self, StudyCommand.self, JournalCommand.self,
            Forget.self, Promote.self, Reload.self, Keygen.self,
        ])
}
