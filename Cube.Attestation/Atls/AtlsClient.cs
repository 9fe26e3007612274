using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Evidence;
using Cube.Attestation.Parsing;
using Cube.Attestation.Policy;
using Cube.Attestation.Verdicts;

namespace Cube.Attestation.Atls;

/// <summary>Adds collateral and revocation lists that the Verifier obtained itself. Returns the given Evidence if there is nothing to add.</summary>
public delegate ValueTask<EvidenceDocument> CompleteEvidence(EvidenceDocument evidence, CancellationToken ct);

/// <summary>The client of attested TLS: the Verifier in the proxy.</summary>
/// <param name="allowUnbound">Whether simulated Evidence is accepted without a channel binding if the TLS library of this system provides none.</param>
internal sealed class AtlsClient(EvidenceVerifier verifier, CompleteEvidence complete, bool allowUnbound, TimeProvider clock)
{
    private static readonly TimeSpan _exchangeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Requests Evidence, appraises it against this end of the connection, and returns the verdict that permits requests.</summary>
    /// <exception cref="AttestationException">The connection must not be used.</exception>
    public async Task<(Verdict Verdict, string SpkiSha256)> HandshakeAsync(SslStream tls, IReadOnlyList<NamedPolicy> policies, CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(_exchangeTimeout);
        try
        {
            return await ExchangeAsync(tls, policies, timeout.Token);
        }
        catch (AppraisalException exception)
        {
            throw new AttestationException(exception.Code, exception.Message);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new AttestationException(Codes.AtlsTimeout, "The attestation exchange did not complete within ten seconds.");
        }
    }

    private async Task<(Verdict Verdict, string SpkiSha256)> ExchangeAsync(SslStream tls, IReadOnlyList<NamedPolicy> policies, CancellationToken ct)
    {
        var finished = ChannelBindings.GetFinished(tls);
        var (type, value) = finished is not null ? (ChannelBindings.Finished, finished)
            : allowUnbound ? (ChannelBindings.NoneSimulated, [])
            : throw new AppraisalException(Codes.AtlsChannelBinding, "The TLS library of this system provides no channel binding.");
        var nonce = RandomNumberGenerator.GetBytes(AtlsRequest.NonceSize);
        await tls.WriteAsync(new AtlsRequest(nonce, [type], policies.Count > 0 ? policies[^1].Id : "none").ToFrame(), ct);
        var response = await ReadAsync(tls, ct);
        // The client offers exactly one binding, so that no downgrade is possible.
        AppraisalException.ThrowUnless(response.ChannelBinding == type, Codes.AtlsChannelBinding, "The agent used another channel binding than the requested one.");

        // The key of this handshake as this side saw it, never a key from the Evidence.
        var spki = ((X509Certificate2)tls.RemoteCertificate!).PublicKey.ExportSubjectPublicKeyInfo();
        var bound = new BindingContext(
            Binder.Compute(spki, nonce, type, value), type == ChannelBindings.Finished ? Binding.Connection : Binding.None, type, nonce);
        var evidence = await complete(response.Evidence, ct);
        var verdict = verifier.Verify(evidence, bound, policies, clock.GetUtcNow());
        if (!verdict.OpensConnections || (bound.Binding == Binding.None && verdict.Outcome != Outcome.Simulated))
        {
            throw new AttestationException(verdict.Code ?? Codes.AtlsChannelBinding, verdict.Detail ?? "The evidence is not bound to the connection.", verdict);
        }

        return (verdict with { Evidence = evidence }, Convert.ToHexStringLower(SHA256.HashData(spki)));
    }

    private static async Task<AtlsResponse> ReadAsync(Stream tls, CancellationToken ct)
    {
        var header = new byte[AtlsFrame.HeaderSize];
        await ReadExactlyAsync(tls, header, ct);
        var length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(1));
        AppraisalException.ThrowUnless(header[0] is AtlsFrame.Evidence or AtlsFrame.Error && length is > 0 and <= AtlsFrame.MaxEvidence, Codes.AtlsFrame, "The peer does not support attested TLS.");
        var body = new byte[length];
        await ReadExactlyAsync(tls, body, ct);
        return header[0] == AtlsFrame.Evidence
            ? AtlsResponse.Parse(body)
            : throw new AppraisalException(AtlsResponse.ErrorCode(body), "The agent returned an error instead of evidence.");
    }

    private static async Task ReadExactlyAsync(Stream tls, byte[] buffer, CancellationToken ct)
    {
        try
        {
            await tls.ReadExactlyAsync(buffer, ct);
        }
        catch (EndOfStreamException)
        {
            throw new AppraisalException(Codes.AtlsFrame, "The peer closed the connection before it sent evidence.");
        }
    }
}
