using System.Net;
using System.Net.Security;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Atls;

/// <summary>
/// One attested connection. The proxy can send prompts through this type only. Its constructor is internal, and an instance exists only after a verdict permits it.
/// It uses HTTP/2, so that many requests share one verification. It ends with its connection.
/// </summary>
public sealed class AttestedChannel : IDisposable
{
    private readonly AttestedStream _stream;
    private readonly TimeProvider _clock;
    private long _until;
    private int _isRetired;
    private int _running;

    internal AttestedChannel(Uri address, HttpMessageInvoker invoker, AttestedStream stream, Verdict verdict, string spkiSha256, TimeProvider clock)
    {
        (Address, Invoker, _stream, Verdict, SpkiSha256, _clock) = (address, invoker, stream, verdict, spkiSha256, clock);
        (_until, Origin) = (verdict.ExpiresAt.UtcTicks, address.GetLeftPart(UriPartial.Authority));
    }

    public Uri Address { get; }

    /// <summary>Scheme, host and port, without a trailing slash.</summary>
    public string Origin { get; }

    public HttpMessageInvoker Invoker { get; }

    public Verdict Verdict { get; }

    /// <summary>SHA-256 of the server's SubjectPublicKeyInfo, in hex. Connections with the same value use the same key.</summary>
    public string SpkiSha256 { get; }

    /// <summary>Running streams may continue until this instant. A new verdict for the same key extends it.</summary>
    public DateTimeOffset Until => new(Interlocked.Read(ref _until), TimeSpan.Zero);

    /// <summary>True if the channel accepts new requests: it is open, not retired, and its lease has not expired.</summary>
    public bool AcceptsRequests => !_stream.IsClosed && Volatile.Read(ref _isRetired) == 0 && _clock.GetUtcNow() < Verdict.ExpiresAt;

    /// <summary>True if the connection is open; streams may still run on it.</summary>
    public bool IsOpen => !_stream.IsClosed;

    /// <summary>Number of running requests.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Increments the number of running requests; <see cref="End"/> decrements it.</summary>
    public void Begin() => Interlocked.Increment(ref _running);

    public void End() => Interlocked.Decrement(ref _running);

    /// <summary>Stops accepting new requests.</summary>
    public void Retire() => Volatile.Write(ref _isRetired, 1);

    /// <summary>Extends running streams to the lease of <paramref name="fresh"/>, which was verified for the same key under the active policies.</summary>
    /// <returns>False if the key differs or <paramref name="fresh"/> does not accept requests.</returns>
    public bool TryExtend(AttestedChannel fresh)
    {
        if (fresh.SpkiSha256 != SpkiSha256 || !fresh.AcceptsRequests)
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
        _stream.Abort(new AttestationException(code, reason, Verdict));
    }

    public void Dispose()
    {
        Retire();
        Invoker.Dispose();
        _stream.Dispose();
    }
}

/// <summary>Opens attested connections: TCP, TLS 1.3 with a full handshake, exchange, Appraisal. No other type creates an <see cref="AttestedChannel"/>.</summary>
public sealed class AttestedChannelFactory(EvidenceVerifier verifier, CompleteEvidence complete, bool allowUnbound, TimeProvider clock)
{
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

        AttestedStream? stream = null;
        (Verdict Verdict, string SpkiSha256)? seen = null;
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = 1 << 20,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            KeepAlivePingDelay = TimeSpan.FromSeconds(10),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = AtlsProtocols.Tls,
                AllowTlsResume = false,
                AllowRenegotiation = false,
                // The Evidence authenticates the server: it is bound to the key of this certificate.
                RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
            },
            PlaintextStreamFilter = async (context, cancel) =>
            {
                if (seen is not null)
                {
                    throw new AttestationException(Codes.AtlsFrame, "The attested connection is closed.");
                }

                if (context.PlaintextStream is not SslStream tls)
                {
                    throw new AttestationException(Codes.AtlsNotTls, "An attested connection requires https.");
                }

                seen = await _client.HandshakeAsync(tls, policies, cancel);
                return stream = new AttestedStream(tls);
            },
        };
        var invoker = new HttpMessageInvoker(handler);
        try
        {
            // This request only makes the handler connect. It contains no data of a client.
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, "/alive")) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await invoker.SendAsync(request, ct);
            return new AttestedChannel(address, invoker, stream!, seen!.Value.Verdict, seen.Value.SpkiSha256, clock);
        }
        catch (Exception exception)
        {
            invoker.Dispose();
            if (AttestationException.Find(exception) is { } refused && exception is not AttestationException)
            {
                throw refused;
            }

            throw;
        }
    }
}
