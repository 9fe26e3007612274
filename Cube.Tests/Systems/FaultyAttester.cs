using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Cube.Attestation.Simulated;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Cube.Tests.Systems;

public enum Defect
{
    None,
    AnotherBinder,
    EvidenceOfBefore,
    BrokenSignature,
    UnlistedType,
    NoEvidence,
    NotJson,
    CutOff,
    TooLarge,
    ErrorFrame,
    AnotherChannelBinding,
    UnknownVersion,
    PlainHttps,
    ClosesAtOnce,
}

/// <summary>
/// A model server behind an attested listener with a configurable defect. It records the bytes that it receives on connections without a valid exchange;
/// there must be none.
/// </summary>
internal sealed class FaultyAttester : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly X509Certificate2 _certificate = TestAttester.MakeCertificate();
    private readonly ConcurrentDictionary<ConnectionContext, Defect> _connections = new();
    private EvidenceDocument? _before;
    private int _exchanges;

    private FaultyAttester(int maxStreams)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.Http2.MaxStreamsPerConnection = maxStreams);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificate = _certificate, EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = false, ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
                }),
            });
            listen.Use(next => connection => ExchangeAsync(connection, next));
        }));
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public volatile Defect Defect;

    public string Address { get; private set; } = "";

    /// <summary>Bytes of requests on connections without a valid exchange.</summary>
    public ConcurrentQueue<string> Leaked { get; } = [];

    public ConcurrentQueue<string> Sound { get; } = [];

    /// <summary>Number of accepted connections.</summary>
    public int Exchanges => Volatile.Read(ref _exchanges);

    public string[] Models { get; set; } = ["m"];

    public string Answer { get; set; } = FakeBackend.Chat;

    /// <summary>While it is set, a response pauses in the middle.</summary>
    public TaskCompletionSource? Hold { get; set; }

    /// <param name="maxStreams">The limit of concurrent requests on one connection; by default that of the agent.</param>
    public static async Task<FaultyAttester> StartAsync(int maxStreams = 1000)
    {
        var machine = new FaultyAttester(maxStreams);
        await machine._app.StartAsync();
        machine.Address = machine._app.Urls.Single().Replace("http://", "https://", StringComparison.Ordinal);
        return machine;
    }

    public void Disconnect()
    {
        foreach (var connection in _connections.Keys)
        {
            connection.Abort();
        }
    }

    private async Task ExchangeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var defect = Defect;
        _connections[connection] = defect;
        Interlocked.Increment(ref _exchanges);
        try
        {
            if (defect == Defect.ClosesAtOnce)
            {
                return;
            }

            var request = await ReadAsync(connection);
            var tls = connection.Features.Get<ISslStreamFeature>()!.SslStream;
            var binder = Binder.Compute(_certificate.PublicKey.ExportSubjectPublicKeyInfo(), request.Nonce, ChannelBindings.Finished, ChannelBindings.GetFinished(tls)!);
            await connection.Transport.Output.WriteAsync(Frame(defect, binder));
            if (defect is Defect.CutOff)
            {
                return;
            }

            await next(connection);
        }
        finally
        {
            _connections.TryRemove(connection, out _);
        }
    }

    private static async Task<AtlsRequest> ReadAsync(ConnectionContext connection)
    {
        while (true)
        {
            var read = await connection.Transport.Input.ReadAsync();
            if (read.Buffer.Length >= 5)
            {
                var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(read.Buffer.Slice(1, 4).ToArray());
                if (read.Buffer.Length >= 5 + length)
                {
                    var json = read.Buffer.Slice(5, length).ToArray();
                    connection.Transport.Input.AdvanceTo(read.Buffer.GetPosition(5 + length));
                    return AtlsRequest.Parse(json);
                }
            }

            if (read.IsCompleted)
            {
                throw new IOException("gone");
            }

            connection.Transport.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private byte[] Frame(Defect defect, byte[] binder)
    {
        var now = TimeProvider.System.GetUtcNow();
        var good = SimulatedEvidence.Make(binder, now);
        _before ??= good;
        return defect switch
        {
            Defect.AnotherBinder => Of(SimulatedEvidence.Make(new byte[64], now)),
            Defect.EvidenceOfBefore => Of(_before == good ? SimulatedEvidence.Make(new byte[64], now) : _before),
            Defect.BrokenSignature => Of(good with { Simulated = good.Simulated! with { Signature = [.. good.Simulated.Signature[..^1], (byte)(good.Simulated.Signature[^1] ^ 1)] } }),
            Defect.UnlistedType => Of(TestAttester.Good(binder)),
            Defect.NoEvidence => Of(new EvidenceDocument { Type = EvidenceType.Simulated }),
            Defect.NotJson => AtlsFrame.Make(AtlsFrame.Evidence, "not json"u8),
            Defect.CutOff => Of(good)[..40],
            Defect.TooLarge => [AtlsFrame.Evidence, 0x7F, 0xFF, 0xFF, 0xFF, 1, 2, 3],
            Defect.ErrorFrame => AtlsFrame.Make(AtlsFrame.Error, """{"v":1,"code":"atls-evidence-unavailable"}"""u8),
            Defect.AnotherChannelBinding => new AtlsResponse(ChannelBindings.NoneSimulated, good).ToFrame(),
            Defect.UnknownVersion => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Of(good)).Replace("\"v\":1", "\"v\":2", StringComparison.Ordinal)),
            Defect.PlainHttps => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8.ToArray(),
            _ => Of(good),
        };

        static byte[] Of(EvidenceDocument evidence) => new AtlsResponse(ChannelBindings.Finished, evidence).ToFrame();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync();
        // From the underlying connection: the HTTP features do not contain it.
        var isSound = _connections.Any(pair => pair.Key.ConnectionId == context.Connection.Id.Split(':')[0] && pair.Value == Defect.None);
        (isSound ? Sound : Leaked).Enqueue(body);
        if (context.Request.Path == "/v1/models")
        {
            context.Response.Headers["x-cube-backend"] = "vllm";
            var models = Models.Select(static model => $$"""{"id":"{{model}}","object":"model","created":1,"owned_by":"x"}""");
            await FakeBackend.JsonAsync(context, 200, $$"""{"object":"list","data":[{{string.Join(',', models)}}]}""");
            return;
        }

        if (Hold is { } hold && body.Length > 0)
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync(FakeBackend.Event(0));
            await context.Response.Body.FlushAsync();
            await hold.Task.WaitAsync(context.RequestAborted);
            await context.Response.WriteAsync(FakeBackend.End);
            return;
        }

        await (body.Contains("\"stream\":true", StringComparison.Ordinal) ? FakeBackend.TextAsync(context, 200, "text/event-stream", FakeBackend.Event(0) + FakeBackend.End) : FakeBackend.JsonAsync(context, 200, Answer));
    }

    public async ValueTask DisposeAsync()
    {
        Hold?.TrySetResult();
        await _app.DisposeAsync();
        _certificate.Dispose();
    }
}
