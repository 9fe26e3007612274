using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>How a recorded response is split into reads.</summary>
public enum Split
{
    AsRecorded,
    AllAtOnce,
    ByteByByte,
    Random,
}

/// <summary>
/// A server that replays a recorded Ollama or vLLM over a real socket. The test chooses the response, its split into reads, and where the response is cut
/// or stalls.
/// </summary>
public sealed class ReplayServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _open;

    public ReplayServer()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://{(IPEndPoint)_listener.LocalEndpoint}");

    /// <summary>The listed models; the proxy caches them for ten seconds.</summary>
    public string[] Models { get; set; } = ["smollm2", "smollm2:135m", "tools", "m"];

    /// <summary>Selects the recording by the request body; null if the test plays one recording.</summary>
    public Func<JsonElement, Recording>? Choose { get; set; }

    /// <summary>The bytes of the response, with its headers and framing.</summary>
    public byte[] Answer { get; set; } = [];

    public Split Split { get; set; }

    public IReadOnlyList<byte[]> Reads { get; set; } = [];

    /// <summary>The number of bytes after which the response is cut; null for the whole response.</summary>
    public int? Cut { get; set; }

    /// <summary>The socket stays open after the last byte.</summary>
    public bool Stalls { get; set; }

    /// <summary>The number of requests in progress, including stalled ones.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Received requests, the newest last.</summary>
    public ConcurrentQueue<(string Head, string Body)> Requests { get; } = [];

    public void Play(Recording recording, Split split = Split.AsRecorded)
    {
        (Reads, Answer, Split, Cut, Stalls) = (recording.Reads, [.. recording.Reads.SelectMany(static read => read)], split, null, !recording.IsClosed);
    }

    /// <summary>Plays a response without streaming.</summary>
    public void PlayJson(int status, string json, string type = "application/json")
    {
        var answer = Encoding.UTF8.GetBytes($"HTTP/1.1 {status} X\r\ncontent-type: {type}\r\ncontent-length: {Encoding.UTF8.GetByteCount(json)}\r\nconnection: close\r\n\r\n{json}");
        (Reads, Answer, Split, Cut, Stalls) = ([answer], answer, Split.AsRecorded, null, false);
    }

    /// <summary>Plays a stream with one event per read.</summary>
    public void PlayEvents(params IEnumerable<string> events)
    {
        byte[][] reads = ["HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"u8.ToArray(), .. events.Select(static text => Chunk(Encoding.UTF8.GetBytes(text))), "0\r\n\r\n"u8.ToArray()];
        (Reads, Answer, Split, Cut, Stalls) = (reads, [.. reads.SelectMany(static read => read)], Split.AsRecorded, null, false);
    }

    private static byte[] Chunk(byte[] bytes) => [.. Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), .. bytes, .. "\r\n"u8];

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                client.NoDelay = true;
                await using var stream = client.GetStream();
                var (head, body) = await ReadRequestAsync(stream, _stop.Token);
                var path = head.Split(' ', 3) is [_, var target, ..] ? target : "/";
                if (path is "/health" or "/" or "/v1/models")
                {
                    var list = JsonSerializer.Serialize(new { @object = "list", data = Models.Select(static id => new { id, @object = "model", created = 1700000000, owned_by = "library" }) });
                    var text = path == "/v1/models" ? list : "";
                    await stream.WriteAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {text.Length}\r\nconnection: close\r\n\r\n{text}"), _stop.Token);
                    return;
                }

                Requests.Enqueue((head, body));
                if (Choose is { } choose)
                {
                    Play(choose(JsonElement.Parse(body)));
                }

                Interlocked.Increment(ref _open);
                try
                {
                    await PlayAsync(stream);
                    if (Stalls)
                    {
                        // Waits until the agent closes the connection.
                        _ = await stream.ReadAtLeastAsync(new byte[1], 1, throwOnEndOfStream: false, _stop.Token);
                    }
                }
                finally
                {
                    Interlocked.Decrement(ref _open);
                }
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException or SocketException)
            {
                // The agent closed the connection, or the test ended.
            }
        }
    }

    private async Task PlayAsync(NetworkStream stream)
    {
        var answer = Cut is { } cut ? Answer.AsMemory(0, Math.Min(cut, Answer.Length)) : Answer;
        var random = new Random(answer.Length);
        var read = 0;
        for (var sent = 0; sent < answer.Length;)
        {
            var length = Split switch
            {
                Split.AllAtOnce => answer.Length,
                Split.ByteByByte => 1,
                Split.Random => random.Next(1, 40),
                _ => read < Reads.Count ? Reads[read++].Length : answer.Length,
            };
            length = Math.Min(length, answer.Length - sent);
            await stream.WriteAsync(answer.Slice(sent, length), _stop.Token);
            sent += length;
            if (Split != Split.ByteByByte || sent % 64 == 0)
            {
                await Task.Yield();
            }
        }
    }

    internal static async Task<(string Head, string Body)> ReadRequestAsync(NetworkStream stream, CancellationToken ct)
    {
        var (received, buffer) = (new MemoryStream(), new byte[8192]);
        while (await stream.ReadAsync(buffer, ct) is > 0 and var count)
        {
            received.Write(buffer, 0, count);
            var text = Encoding.UTF8.GetString(received.GetBuffer(), 0, (int)received.Length);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0)
            {
                continue;
            }

            var (head, body) = (text[..end], text[(end + 4)..]);
            var length = head.Split("\r\n").Select(static header => header.Split(": ")).FirstOrDefault(static header => header[0].Equals("content-length", StringComparison.OrdinalIgnoreCase))?[1];
            if (Encoding.UTF8.GetByteCount(body) >= int.Parse(length ?? "0", System.Globalization.CultureInfo.InvariantCulture))
            {
                return (head, body);
            }
        }

        return ("GET / HTTP/1.1", "");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }
}
