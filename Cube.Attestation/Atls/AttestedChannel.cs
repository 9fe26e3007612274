using System.Net;
using System.Net.Security;
using Cube.Attestation.Policy;

namespace Cube.Attestation.Atls;

/// <summary>
/// One attested connection, and the only thing that a prompt can be sent through. Nobody outside this assembly can make one, and it
/// exists only after its verdict. It is HTTP/2, so that many requests share what was verified once; when the connection is gone, so is the channel.
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

    /// <summary>Hex; tells whether two connections lead to the same key.</summary>
    public string SpkiSha256 { get; }

    /// <summary>Streams that run may run until then. A fresh verdict about the same key moves it on.</summary>
    public DateTimeOffset Until => new(Interlocked.Read(ref _until), TimeSpan.Zero);

    /// <summary>New requests may use it: the connection stands, its own lease runs, and nobody has retired it.</summary>
    public bool AcceptsRequests => !_stream.IsClosed && Volatile.Read(ref _isRetired) == 0 && _clock.GetUtcNow() < Verdict.ExpiresAt;

    /// <summary>The connection stands; streams may still run on it.</summary>
    public bool IsOpen => !_stream.IsClosed;

    /// <summary>Requests that run on it.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Counts a request in; <see cref="End"/> counts it out.</summary>
    public void Begin() => Interlocked.Increment(ref _running);

    public void End() => Interlocked.Decrement(ref _running);

    /// <summary>No new requests from now on.</summary>
    public void Retire() => Volatile.Write(ref _isRetired, 1);

    /// <summary>Lets running streams go on, because <paramref name="fresh"/> has just proved the same key under the policies in force.</summary>
    /// <returns>False where it is another key.</returns>
    public bool TryExtend(AttestedChannel fresh)
    {
        if (fresh.SpkiSha256 != SpkiSha256 || !fresh.AcceptsRequests)
        {
            return false;
        }

        Interlocked.Exchange(ref _until, fresh.Verdict.ExpiresAt.UtcTicks);
        return true;
    }

    /// <summary>Ends the connection in the middle of whatever runs on it.</summary>
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

/// <summary>Opens attested connections: TCP, TLS 1.3 with a full handshake, the exchange, the verdict. There is no other way to an <see cref="AttestedChannel"/>.</summary>
public sealed class AttestedChannelFactory(EvidenceVerifier verifier, CompleteEvidence complete, bool allowUnbound, TimeProvider clock)
{
    private readonly AtlsClient _client = new(verifier, complete, allowUnbound, clock);

    /// <param name="policies">The platform's floor first. None opens nothing.</param>
    /// <exception cref="AttestationException">The machine was refused.</exception>
    /// <exception cref="HttpRequestException">The machine cannot be reached.</exception>
    public async Task<AttestedChannel> OpenAsync(Uri address, IReadOnlyList<NamedPolicy> policies, CancellationToken ct)
    {
        if (address.Scheme != Uri.UriSchemeHttps)
        {
            throw new AttestationException(Codes.AtlsNotTls, "An attested connection is https.");
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
                // Trust comes from the evidence, which is bound to the key of this certificate.
                RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null,
            },
            PlaintextStreamFilter = async (context, cancel) =>
            {
                if (seen is not null)
                {
                    throw new AttestationException(Codes.AtlsFrame, "The attested connection is gone.");
                }

                if (context.PlaintextStream is not SslStream tls)
                {
                    throw new AttestationException(Codes.AtlsNotTls, "An attested connection is https.");
                }

                seen = await _client.HandshakeAsync(tls, policies, cancel);
                return stream = new AttestedStream(tls);
            },
        };
        var invoker = new HttpMessageInvoker(handler);
        try
        {
            // The cheapest request there is makes the handler connect; nothing of a client is in it.
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
