using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>Answers with the very bytes that a real vLLM sent, read by read. One recording for each kind of request that a chat needs.</summary>
internal sealed class ReplayingVllm : IAsyncDisposable
{
    public const string Model = "smollm2";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _recordings;
    private readonly Task _accepting;

    private ReplayingVllm(string recordings)
    {
        _recordings = recordings;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://{(IPEndPoint)_listener.LocalEndpoint}");

    public static ReplayingVllm StartOrSkip() => new(Path.Combine(TestFiles.FolderOrSkip("CUBE_TEST_BACKENDS", "backends"), "vllm-0.32.0", "default"));

    /// <summary>The text of the recorded answer, for comparison.</summary>
    public string RecordedText(string name) => string.Concat(Reads(name).Select(Encoding.UTF8.GetString));

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = AnswerAsync(client);
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
            client.NoDelay = true;
            await using var stream = client.GetStream();
            var (head, body) = await ReadRequestAsync(stream);
            var line = head.Split(' ', 3);
            var json = body.Length == 0 ? default : JsonElement.Parse(body);
            var streams = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("stream", out var asked) && asked.GetBoolean();
            var usage = streams && json.TryGetProperty("stream_options", out _);
            if (line[1] == "/health")
            {
                await stream.WriteAsync("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"u8.ToArray());
                return;
            }

            var name = line[1] switch
            {
                "/v1/models" => "models",
                "/v1/chat/completions" when json.GetProperty("model").GetString() != Model => "chat-unknown-model",
                "/v1/chat/completions" => usage ? "chat-stream-usage" : streams ? "chat-stream" : "chat-plain",
                _ => "http-unknown-path",
            };
            foreach (var read in Reads(name))
            {
                await stream.WriteAsync(read);
                await Task.Delay(2);
            }
        }
    }

    private static async Task<(string Head, string Body)> ReadRequestAsync(NetworkStream stream)
    {
        var (received, buffer) = (new MemoryStream(), new byte[8192]);
        while (await stream.ReadAsync(buffer) is > 0 and var count)
        {
            received.Write(buffer, 0, count);
            var text = Encoding.UTF8.GetString(received.ToArray());
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0)
            {
                continue;
            }

            var (head, body) = (text[..end], text[(end + 4)..]);
            var length = head.Split("\r\n").Select(static header => header.Split(": ")).FirstOrDefault(static header =>
                header[0].Equals("content-length", StringComparison.OrdinalIgnoreCase))?[1];
            if (Encoding.UTF8.GetByteCount(body) >= int.Parse(length ?? "0", System.Globalization.CultureInfo.InvariantCulture))
            {
                return (head, body);
            }
        }

        return ("GET / HTTP/1.1", "");
    }

    private IEnumerable<byte[]> Reads(string name)
    {
        using var recording = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_recordings, $"{name}.json")));
        return [.. recording.RootElement.GetProperty("response").GetProperty("reads").EnumerateArray().Select(static read =>
            read.TryGetProperty("text", out var text) ? Encoding.UTF8.GetBytes(text.GetString()!) : read.GetProperty("base64").GetBytesFromBase64())];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }
}
