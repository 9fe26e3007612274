using System.Buffers;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Cube.Benchmarks.Load;

/// <summary>
/// A model server that costs little: vLLM's list of models and chat completions of constant content. <c>max_tokens</c> is the number of events of a stream. The model <see cref="PacedModel"/> sends one event per
/// second. It listens on TLS for bare YARP and on plain HTTP for the agent.
/// </summary>
internal static class MockBackend
{
    public const string Model = "bench";
    public const string PacedModel = "bench-paced";

    private static readonly byte[] _models = Encoding.UTF8.GetBytes(
        $$"""{"object":"list","data":[{"id":"{{Model}}","object":"model","created":1795260506,"owned_by":"vllm"},{"id":"{{PacedModel}}","object":"model","created":1795260506,"owned_by":"vllm"}]}""");

    /// <summary>A response of about 512 bytes.</summary>
    private static readonly byte[] _completion = Encoding.UTF8.GetBytes(
        $$$"""{"id":"chatcmpl-81b924fc6c10236b","object":"chat.completion","created":1795260506,"model":"{{{Model}}}","choices":[{"index":0,"message":{"role":"assistant","content":"{{{new string('w', 160)}}}","refusal":null,"tool_calls":[],"reasoning":null},"logprobs":null,"finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":31,"total_tokens":63,"completion_tokens":32,"prompt_tokens_details":null}}""");

    private static readonly byte[][] _events = [.. ((string[])[" An", " agent", " proves", " with", " evidence", " what", " it", " runs", "."]).Select(static text => Encoding.UTF8.GetBytes(
        $$$"""data: {"id":"chatcmpl-81b924fc6c10236b","object":"chat.completion.chunk","created":1795260506,"model":"{{{Model}}}","choices":[{"index":0,"delta":{"content":"{{{text}}}","reasoning":null},"logprobs":null,"finish_reason":null}]}""" + "\n\n"))];

    private static readonly byte[] _last = Encoding.UTF8.GetBytes(
        $$$"""data: {"id":"chatcmpl-81b924fc6c10236b","object":"chat.completion.chunk","created":1795260506,"model":"{{{Model}}}","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n");

    public static async Task RunAsync(int port, int tlsPort)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(IPAddress.Loopback, port, static listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, tlsPort, listen => listen.UseHttps(certificate));
        });
        var app = builder.Build();
        app.Run(static context => context.Request.Method == HttpMethods.Post ? CompleteAsync(context) : WriteAsync(context.Response, _models));
        await app.RunAsync();
    }

    private static async Task CompleteAsync(HttpContext context)
    {
        var body = context.Request.BodyReader;
        var read = await body.ReadAtLeastAsync((int)(context.Request.ContentLength ?? 1), context.RequestAborted);
        var (events, isPaced) = Parse(read.Buffer);
        body.AdvanceTo(read.Buffer.End);
        if (events == 0)
        {
            await WriteAsync(context.Response, _completion);
            return;
        }

        context.Response.ContentType = "text/event-stream; charset=utf-8";
        for (var i = 1; i < events; i++)
        {
            await context.Response.BodyWriter.WriteAsync(_events[i % _events.Length], context.RequestAborted);
            if (isPaced)
            {
                await Task.Delay(1000, context.RequestAborted);
            }
        }

        await context.Response.BodyWriter.WriteAsync(_last, context.RequestAborted);
    }

    /// <returns>The number of events, 0 without <c>stream</c>.</returns>
    private static (int Events, bool IsPaced) Parse(ReadOnlySequence<byte> body)
    {
        var json = body.IsSingleSegment ? body.FirstSpan : body.ToArray();
        if (json.IndexOf("\"stream\":true"u8) < 0)
        {
            return (0, false);
        }

        var start = json.IndexOf("\"max_tokens\":"u8);
        var name = "\"max_tokens\":"u8.Length;
        if (start < 0)
        {
            start = json.IndexOf("\"max_completion_tokens\":"u8);
            name = "\"max_completion_tokens\":"u8.Length;
        }

        var number = json[(start + name)..];
        var end = number.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return (int.Parse(number[..end], CultureInfo.InvariantCulture), json.IndexOf("\"bench-paced\""u8) >= 0);
    }

    private static async Task WriteAsync(HttpResponse response, byte[] json)
    {
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        await response.BodyWriter.WriteAsync(json);
    }
}
