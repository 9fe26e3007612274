using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Cube.Tests.Systems;

/// <summary>A minimal SMTP server (RFC 5321) that receives mails.</summary>
internal sealed class SmtpTestServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    public SmtpTestServer()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public ConcurrentQueue<string> Mails { get; } = new();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                using var reader = new StreamReader(client.GetStream());
                await using var writer = new StreamWriter(client.GetStream()) { AutoFlush = true, NewLine = "\r\n" };
                await writer.WriteLineAsync("220 sink");
                while (await reader.ReadLineAsync(_stop.Token) is { } line && !line.StartsWith("QUIT", StringComparison.OrdinalIgnoreCase))
                {
                    if (!line.StartsWith("DATA", StringComparison.OrdinalIgnoreCase))
                    {
                        await writer.WriteLineAsync("250 ok");
                        continue;
                    }

                    await writer.WriteLineAsync("354 go on");
                    var mail = new List<string>();
                    while (await reader.ReadLineAsync(_stop.Token) is { } text && text != ".")
                    {
                        mail.Add(text);
                    }

                    Mails.Enqueue(string.Join('\n', mail));
                    await writer.WriteLineAsync("250 taken");
                }

                await writer.WriteLineAsync("221 bye");
            }
        }
        catch (OperationCanceledException)
        {
            // The test has ended.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
    }
}
