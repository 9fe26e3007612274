using Cube.Attestation.Parsing;

namespace Cube.Attestation.Certificates;

/// <summary>A chain from a leaf to a pinned root, without fetching, guessing or the machine's own store.</summary>
internal static class Chain
{
    /// <summary>Checks, in this order: the root is pinned, the names chain, the signatures hold, who may sign, the dates.</summary>
    /// <param name="chain">Leaf first, root last; two to five certificates.</param>
    /// <param name="roots">The pinned roots, compared as whole certificates.</param>
    /// <returns>The instant at which the first of them ends.</returns>
    /// <exception cref="Refusal">One of the chain's codes.</exception>
    public static DateTimeOffset Verify(IReadOnlyList<Certificate> chain, IEnumerable<Certificate> roots, DateTimeOffset now)
    {
        Refusal.Unless(chain.Count is >= 2 and <= 5, Codes.ChainLength, "A certificate chain has fewer than two or more than five certificates.");
        Refusal.Unless(roots.Any(root => root.Der.Span.SequenceEqual(chain[^1].Der.Span)), Codes.UntrustedRoot, "A certificate chain ends at a root that is not pinned.");
        for (var i = 0; i < chain.Count; i++)
        {
            var issuer = chain[Math.Min(i + 1, chain.Count - 1)];
            Refusal.Unless(chain[i].Issuer.Span.SequenceEqual(issuer.Subject.Span), Codes.ChainIssuer, "A certificate names another issuer than the next one in its chain.");
        }

        // The root is the pinned one to its last byte: its own signature says nothing more.
        for (var i = 0; i < chain.Count - 1; i++)
        {
            Refusal.Unless(chain[i].IsSignedBy(chain[i + 1]), Codes.ChainSignature, "A certificate is not signed by its issuer.");
        }

        Refusal.Unless(!chain[0].IsCa, Codes.ChainLeafIsCa, "The leaf of a certificate chain is an authority.");
        Refusal.Unless(chain.Skip(1).All(static authority => authority.IsCa), Codes.ChainNotCa, "A certificate in the chain may not sign others.");
        Refusal.Unless(chain.All(certificate => certificate.IsValidAt(now)), Codes.CertExpired, "A certificate has expired or is not valid yet.");
        return chain.Min(static certificate => certificate.NotAfter);
    }

    /// <summary>Puts loose certificates in order: from the leaf over whoever issued it, up to a root.</summary>
    /// <exception cref="Refusal">Code <see cref="Codes.ChainIssuer"/>: nobody there is the issuer; <see cref="Codes.ChainLength"/>.</exception>
    public static List<Certificate> Build(Certificate leaf, IReadOnlyCollection<Certificate> candidates)
    {
        var chain = new List<Certificate> { leaf };
        while (!chain[^1].IsSelfIssued)
        {
            var last = chain[^1];
            var issuer = candidates.FirstOrDefault(candidate => candidate.Subject.Span.SequenceEqual(last.Issuer.Span) && last.IsSignedBy(candidate))
                ?? candidates.FirstOrDefault(candidate => candidate.Subject.Span.SequenceEqual(last.Issuer.Span))
                ?? throw new Refusal(Codes.ChainIssuer, "The issuer of a certificate is not there.");
            chain.Add(issuer);
            Refusal.Unless(chain.Count <= 5, Codes.ChainLength, "A certificate chain has more than five certificates.");
        }

        return chain;
    }
}
