using System.Security.Cryptography;

namespace Cube.Attestation.Verdicts;

/// <summary>Copies claims into a verdict, without values that identify a machine.</summary>
internal static class ClaimsSummary
{
    public static bool IsAlternative(string field) => field is "snp.measurements" or "snp.id_keys" or "snp.uvm" or "snp.google_launch";

    /// <returns>Hex, or null if the host masks the chip id.</returns>
    public static string? ChipHash(ReadOnlyMemory<byte> chipId) =>
        chipId.Span.ContainsAnyExcept((byte)0) ? Convert.ToHexStringLower(SHA256.HashData(chipId.Span)) : null;

    public static Verdict AddTo(Verdict verdict, Claims claims) => verdict with
    {
        Claims = claims,
        Product = claims.Snp?.Product,
        Measurement = (claims.Snp?.Measurement ?? claims.Tdx?.MrTd ?? claims.Maa?.Measurement ?? claims.Simulated?.Measurement) is { } measurement ? Convert.ToHexStringLower(measurement.Span) : null,
        Tcb = claims.Snp?.ReportedTcb.ToString() ?? (claims.Tdx is { } tdx ? Convert.ToHexStringLower(tdx.TeeTcbSvn.Span) : null),
        TcbStatus = claims.Tdx?.TcbStatus?.ToString() ?? claims.Maa?.TcbStatus,
        Advisories = claims.Tdx?.Advisories ?? [],
        ChipIdSha256 = claims.Snp is { } snp ? ChipHash(snp.ChipId) : null,
    };
}
