using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>Builds and verifies a chain from a leaf to a pinned root, without network access and without the certificate store of the system.</summary>
internal static class CertificateChain
{
    /// <summary>Checks, in this order: pinned root, names, signatures, basic constraints, validity periods.</summary>
    /// <param name="chain">Leaf first, root last; two to five certificates.</param>
    /// <param name="roots">The pinned roots, compared as whole certificates.</param>
    /// <returns>The earliest end of validity in the chain.</returns>
    /// <exception cref="AppraisalException">One of the chain's codes.</exception>
    public static DateTimeOffset Verify(IReadOnlyList<Certificate> chain, IEnumerable<Certificate> roots, DateTimeOffset now)
    {
        AppraisalException.ThrowUnless(chain.Count is >= 2 and <= 5, Codes.ChainLength, "A certificate chain has fewer than two or more than five certificates.");
        AppraisalException.ThrowUnless(roots.Any(root => root.Der.Span.SequenceEqual(chain[^1].Der.Span)), Codes.UntrustedRoot, "A certificate chain ends at a root that is not pinned.");
        for (var i = 0; i < chain.Count; i++)
        {
            var issuer = chain[Math.Min(i + 1, chain.Count - 1)];
            AppraisalException.ThrowUnless(chain[i].Issuer.Span.SequenceEqual(issuer.Subject.Span), Codes.ChainIssuer, "A certificate names another issuer than the next one in its chain.");
        }

        // The root equals the pinned one byte for byte, so that its self-signature need not be verified.
        for (var i = 0; i < chain.Count - 1; i++)
        {
            AppraisalException.ThrowUnless(chain[i].IsSignedBy(chain[i + 1]), Codes.ChainSignature, "A certificate is not signed by its issuer.");
        }

        AppraisalException.ThrowUnless(!chain[0].IsCa, Codes.ChainLeafIsCa, "The leaf of a certificate chain is a CA certificate.");
        AppraisalException.ThrowUnless(chain.Skip(1).All(static authority => authority.IsCa), Codes.ChainNotCa, "An issuer in the certificate chain is not a CA certificate.");
        AppraisalException.ThrowUnless(chain.All(certificate => certificate.IsValidAt(now)), Codes.CertExpired, "A certificate has expired or is not valid yet.");
        return chain.Min(static certificate => certificate.NotAfter);
    }

    /// <summary>Orders certificates into a chain from the leaf to a self-issued root.</summary>
    /// <exception cref="AppraisalException">Code <see cref="Codes.ChainIssuer"/>: an issuer is missing; <see cref="Codes.ChainLength"/>.</exception>
    public static List<Certificate> Build(Certificate leaf, IReadOnlyCollection<Certificate> candidates)
    {
        var chain = new List<Certificate> { leaf };
        while (!chain[^1].IsSelfIssued)
        {
            var last = chain[^1];
            var issuer = candidates.FirstOrDefault(candidate => candidate.Subject.Span.SequenceEqual(last.Issuer.Span) && last.IsSignedBy(candidate))
                ?? candidates.FirstOrDefault(candidate => candidate.Subject.Span.SequenceEqual(last.Issuer.Span))
                ?? throw new AppraisalException(Codes.ChainIssuer, "The issuer of a certificate is missing.");
            chain.Add(issuer);
            AppraisalException.ThrowUnless(chain.Count <= 5, Codes.ChainLength, "A certificate chain has more than five certificates.");
        }

        return chain;
    }
}
