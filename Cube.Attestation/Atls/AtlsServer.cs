using System.Buffers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Cube.Attestation.Atls;

/// <summary>Set on a connection whose client received Evidence that is bound to it. Without it, the server must not serve confidential endpoints.</summary>
public interface IAttestedConnectionFeature
{
    /// <summary>The channel binding type of the Evidence.</summary>
    string ChannelBinding { get; }
}

/// <summary>Generates Evidence that is bound to <paramref name="binder"/> (64 bytes).</summary>
/// <exception cref="EvidenceUnavailableException">The platform cannot generate Evidence now.</exception>
public delegate ValueTask<EvidenceDocument> MakeEvidence(ReadOnlyMemory<byte> binder, CancellationToken ct);

/// <summary>Evidence is not available: the device is missing, busy, or returned an error.</summary>
public sealed class EvidenceUnavailableException : Exception
{
    public EvidenceUnavailableException()
    {
    }

    public EvidenceUnavailableException(string message)
        : base(message)
    {
    }

    public EvidenceUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>The server of attested TLS (the Attester): TLS 1.3 with full handshakes only, one exchange, then HTTP.</summary>
public static class AtlsServer
{
    private static readonly TimeSpan _exchangeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Serves the listener with attested TLS.</summary>
    /// <param name="certificate">Returns the current certificate. Its private key exists in memory only.</param>
    /// <param name="allowUnbound">Whether the server responds to a client without a channel binding; for simulated Evidence only.</param>
    public static ListenOptions UseAttestedTls(this ListenOptions listen, Func<SslStreamCertificateContext> certificate, MakeEvidence evidence, bool allowUnbound)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = _exchangeTimeout,
            OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = certificate(),
                EnabledSslProtocols = AtlsProtocols.Tls,
                AllowTlsResume = false,
                AllowRenegotiation = false,
                ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
            }),
        });
        listen.Use(next => async connection =>
        {
            if (await AnswerAsync(connection, evidence, allowUnbound))
            {
                await next(connection);
            }
        });
        return listen;
    }

    /// <returns>False if the connection must be closed.</returns>
    private static async Task<bool> AnswerAsync(ConnectionContext connection, MakeEvidence evidence, bool allowUnbound)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
        timeout.CancelAfter(_exchangeTimeout);
        try
        {
            if (await ReadRequestAsync(connection, timeout.Token) is not { } request)
            {
                return true;
            }

            var tls = connection.Features.Get<ISslStreamFeature>()?.SslStream ?? throw new AppraisalException(Codes.AtlsNotTls, "The connection is not TLS.");
            var (type, value) = Bind(tls, request, allowUnbound);
            var spki = ((X509Certificate2)tls.LocalCertificate!).PublicKey.ExportSubjectPublicKeyInfo();
            var made = await evidence(Binder.Compute(spki, request.Nonce, type, value), timeout.Token);
            await connection.Transport.Output.WriteAsync(new AtlsResponse(type, made).ToFrame(), timeout.Token);
            connection.Features.Set<IAttestedConnectionFeature>(new Attested(type));
            return true;
        }
        catch (AppraisalException exception)
        {
            await RefuseAsync(connection, exception.Code);
        }
        catch (EvidenceUnavailableException)
        {
            await RefuseAsync(connection, Codes.AtlsEvidenceUnavailable);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or ConnectionAbortedException or ConnectionResetException)
        {
            // The client disconnected or the exchange timed out.
        }

        return false;
    }

    /// <summary>Reads exactly one frame; the bytes after it remain for HTTP.</summary>
    /// <returns>Null if the client starts with HTTP.</returns>
    private static async Task<AtlsRequest?> ReadRequestAsync(ConnectionContext connection, CancellationToken ct)
    {
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(ct);
            var buffer = read.Buffer;
            if (buffer.IsEmpty)
            {
                throw new IOException("The client disconnected.");
            }

            if (buffer.FirstSpan[0] != AtlsFrame.Request)
            {
                input.AdvanceTo(buffer.Start);
                return null;
            }

            if (TryTake(buffer, out var json, out var end))
            {
                input.AdvanceTo(end);
                return AtlsRequest.Parse(json);
            }

            if (read.IsCompleted)
            {
                throw new IOException("The client disconnected.");
            }

            input.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    private static bool TryTake(ReadOnlySequence<byte> buffer, out byte[] json, out SequencePosition end)
    {
        (json, end) = ([], buffer.Start);
        if (buffer.Length < AtlsFrame.HeaderSize)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[AtlsFrame.HeaderSize];
        buffer.Slice(0, AtlsFrame.HeaderSize).CopyTo(header);
        var length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        AppraisalException.ThrowUnless(length is > 0 and <= AtlsFrame.MaxRequest, Codes.AtlsFrame, "The request frame is empty or too long.");
        if (buffer.Length < AtlsFrame.HeaderSize + length)
        {
            return false;
        }

        var body = buffer.Slice(AtlsFrame.HeaderSize, length);
        (json, end) = (body.ToArray(), body.End);
        return true;
    }

    private static (string Type, byte[] Value) Bind(SslStream tls, AtlsRequest request, bool allowUnbound)
    {
        if (request.ChannelBindings.Contains(ChannelBindings.Finished) && ChannelBindings.GetFinished(tls) is { } finished)
        {
            return (ChannelBindings.Finished, finished);
        }

        return allowUnbound && request.ChannelBindings.Contains(ChannelBindings.NoneSimulated)
            ? (ChannelBindings.NoneSimulated, [])
            : throw new AppraisalException(Codes.AtlsChannelBinding, "Client and server have no common channel binding.");
    }

    private static async Task RefuseAsync(ConnectionContext connection, string code)
    {
        try
        {
            await connection.Transport.Output.WriteAsync(AtlsFrame.Make(AtlsFrame.Error, JsonSerializer.SerializeToUtf8Bytes(new { v = 1, code })));
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The client disconnected.
        }
    }

    private sealed record Attested(string ChannelBinding) : IAttestedConnectionFeature;
}

/// <summary>TLS 1.3, except on macOS, whose TLS library does not support it in .NET; there, TLS 1.2 with simulated Evidence only.</summary>
public static class AtlsProtocols
{
    public static SslProtocols Tls { get; } = OperatingSystem.IsMacOS() ? SslProtocols.Tls12 : SslProtocols.Tls13;
}
