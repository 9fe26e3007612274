using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;
using Cube.Http2;

namespace Cube.Attestation.Atls;

/// <summary>
/// One attested connection. The proxy can send prompts through this type only. Its constructor is internal, and an instance exists only after a verdict permits it.
/// It uses HTTP/2, so that many requests share one verification. It ends with its connection.
/// </summary>
public sealed class AttestedChannel : IDisposable
{
    private readonly AttestedStream _stream;
    private readonly Http2Connection _connection;
    private readonly TimeProvider _clock;
    private long _until;
    private int _isRetired;
    private int _running;

    internal AttestedChannel(Uri address, Http2Connection connection, AttestedStream stream, Verdict verdict, string spkiSha256, TimeProvider clock)
    {
        (Address, _connection, _stream, Verdict, SpkiSha256, _clock) = (address, connection, stream, verdict, spkiSha256, clock);
        _until = verdict.ExpiresAt.UtcTicks;
    }

    public Uri Address { get; }

    public Verdict Verdict { get; }

    /// <summary>SHA-256 of the server's SubjectPublicKeyInfo, in hex. Connections with the same value use the same key.</summary>
    public string SpkiSha256 { get; }

    /// <summary>Running streams may continue until this instant. A new verdict for the same key extends it.</summary>
    public DateTimeOffset Until => new(Interlocked.Read(ref _until), TimeSpan.Zero);

    /// <summary>True if the channel accepts new requests: it is open, not retired, and its lease has not expired.</summary>
    public bool AcceptsRequests => IsUsable && _connection.AcceptsRequests;

    /// <summary>As <see cref="AcceptsRequests"/>, but true also while the agent's limit of concurrent requests is reached.</summary>
    public bool IsUsable => IsOpen && Volatile.Read(ref _isRetired) == 0 && _clock.GetUtcNow() < Verdict.ExpiresAt;

    /// <summary>True if the connection is open; streams may still run on it.</summary>
    public bool IsOpen => !_stream.IsClosed && _connection.IsOpen;

    /// <summary>The agent's limit of concurrent requests on this connection.</summary>
    public int MaxRequests => _connection.MaxStreams;

    /// <summary>Number of running requests, including those that are about to be sent.</summary>
    public int Running => Math.Max(Volatile.Read(ref _running), _connection.Running);

    /// <summary>Sends a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="ct">Cancels the request until the response is disposed.</param>
    /// <exception cref="AttestationException">The connection was closed because its verdict is no longer valid.</exception>
    /// <exception cref="IOException">The connection or the request failed. <see cref="Http2Exception.IsUnprocessed"/> tells whether the request can be sent again.</exception>
    /// <exception cref="OperationCanceledException">The token was canceled.</exception>
    public ValueTask<Http2Response> SendAsync(Http2Request request, CancellationToken ct) => IsUsable
        ? _connection.SendAsync(request, ct)
        : throw new Http2Exception("The attested connection takes no further requests.") { IsUnprocessed = true };

    /// <summary>Increments the number of running requests; <see cref="End"/> decrements it.</summary>
    public void Begin() => Interlocked.Increment(ref _running);

    public void End() => Interlocked.Decrement(ref _running);

    /// <summary>Stops accepting new requests.</summary>
    public void Retire() => Volatile.Write(ref _isRetired, 1);

    /// <summary>Extends running streams to the lease of <paramref name="fresh"/>, which was verified for the same key under the active policies.</summary>
    /// <returns>False if the key differs or <paramref name="fresh"/> is no longer valid.</returns>
    public bool TryExtend(AttestedChannel fresh)
    {
        if (fresh.SpkiSha256 != SpkiSha256 || !fresh.IsUsable)
        {
            return false;
        }

        Interlocked.Exchange(ref _until, fresh.Verdict.ExpiresAt.UtcTicks);
        return true;
    }

    /// <summary>Closes the connection immediately. Running requests fail.</summary>
    public void Abort(string code, string reason)
    {
        Retire();
        var failure = new AttestationException(code, reason, Verdict);
        // First, because it discards what the requests have not read.
        _connection.Abort(failure);
        _stream.Abort(failure);
    }

    public void Dispose()
    {
        Retire();
        _connection.Dispose();
        _stream.Dispose();
    }
}

/// <summary>Opens attested connections: TCP, TLS 1.3 with a full handshake, exchange, Appraisal. No other type creates an <see cref="AttestedChannel"/>.</summary>
public sealed class AttestedChannelFactory(EvidenceVerifier verifier, CompleteEvidence complete, bool allowUnbound, TimeProvider clock)
{
    private static readonly TimeSpan _connectTimeout = TimeSpan.FromSeconds(15);
    private readonly AtlsClient _client = new(verifier, complete, allowUnbound, clock);

    /// <param name="policies">The platform policy first. An empty list permits no connection.</param>
    /// <exception cref="AttestationException">The Verifier rejected the machine.</exception>
    /// <exception cref="HttpRequestException">The machine cannot be reached.</exception>
    public async Task<AttestedChannel> OpenAsync(Uri address, IReadOnlyList<NamedPolicy> policies, CancellationToken ct)
    {
        if (address.Scheme != Uri.UriSchemeHttps)
        {
            throw new AttestationException(Codes.AtlsNotTls, "An attested connection requires https.");
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(_connectTimeout);
        SslStream? tls = null;
        try
        {
            tls = await ConnectAsync(address, timeout.Token);
            var (verdict, spkiSha256) = await _client.HandshakeAsync(tls, policies, ct);
            var stream = new AttestedStream(tls);
            var connection = Http2Connection.Start(stream);
            try
            {
                await connection.Ready.WaitAsync(timeout.Token);
                return new AttestedChannel(address, connection, stream, verdict, spkiSha256, clock);
            }
            catch
            {
                connection.Dispose();
                throw;
            }
        }
        catch (Exception exception) when (exception is not AttestationException)
        {
            tls?.Dispose();
            throw AttestationException.Find(exception)
                ?? (exception is SocketException or IOException or AuthenticationException ? new HttpRequestException($"No connection to {address.Authority}: {exception.Message}", exception)
                : exception is OperationCanceledException && !ct.IsCancellationRequested ? new HttpRequestException($"No connection to {address.Authority} within {_connectTimeout.TotalSeconds} seconds.", exception)
                : exception);
        }
        catch
        {
            tls?.Dispose();
            throw;
        }
    }

    private static async Task<SslStream> ConnectAsync(Uri address, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        SslStream? tls = null;
        try
        {
            await socket.ConnectAsync(new DnsEndPoint(address.IdnHost, address.Port), ct);
            tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = address.IdnHost,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                    EnabledSslProtocols = AtlsProtocols.Tls,
                    AllowTlsResume = false,
                    AllowRenegotiation = false,
                    // The Evidence authenticates the server: it is bound to the key of this certificate.
                    RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
                },
                ct);
            return tls.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2 ? tls : throw new AttestationException(Codes.AtlsFrame, "The peer does not support HTTP/2.");
        }
        catch
        {
            tls?.Dispose();
            socket.Dispose();
            throw;
        }
    }
}
