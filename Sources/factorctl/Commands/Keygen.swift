import ArgumentParser
import FactordServer
import StreamTools
import ZeroMQ

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a CURVE key pair.",
        discussion: """
            Writes NAME.key, the secret half (mode 0600), and NAME.pub, the public one (0644); never over a file that exists. The
            daemon's own pair is security.server_key; each publisher, client and administrator has one, too, and the daemon gets
            their .pub files. The files can be read by czmq and by pyzmq (zmq.auth.load_certificate).

            Example:
              factorctl keygen /etc/factord/server
              factorctl keygen ann && cp ann.pub /etc/factord/query.d/
            """)

    @Argument(help: "Path and name of the two files, without the suffix.")
    var name: String

    @OptionGroup var output: OutputOptions

    func run() throws {
        let pair = try CurveKeyPair()
        let files = try KeyFile.write(pair, to: name)
        if output.json {
            say(JSONTree.object([
                JSONTree.Member(key: "secret_file", value: .string(files.secret)),
                JSONTree.Member(key: "public_file", value: .string(files.publicKey)),
                JSONTree.Member(key: "public_key", value: .string("\(pair.publicKey)")),
            ]).json)
        } else {
            say("\(files.secret): the secret half; it stays here\n\(files.publicKey): the public half\npublic key: \(pair.publicKey)")
        }
    }
}
