using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>Which row of Intel's table a platform is in. The rule is that of Intel's quote verification library, index by index.</summary>
internal static class TcbEvaluation
{
    /// <exception cref="Refusal">Codes <see cref="Codes.TdxModuleMismatch"/>, <see cref="Codes.TdxModuleNotSupported"/>, <see cref="Codes.TcbNotSupported"/>.</exception>
    public static (TcbStatus Status, IReadOnlyList<string> Advisories) Evaluate(TdReport report, PckExtension pck, TcbInfo info, IsvLevel qe)
    {
        var (module, platform) = Levels(report.TeeTcbSvn.Span, pck, info, report);
        var status = Converge(platform, module, qe);
        if (report.TeeTcbSvn2 is { } today && status is TcbStatus.OutOfDate or TcbStatus.OutOfDateConfigurationNeeded && IsUpToDate(today))
        {
            status = status == TcbStatus.OutOfDate ? TcbStatus.TDRelaunchAdvised : TcbStatus.TDRelaunchAdvisedConfigurationNeeded;
        }

        return (status, [.. platform.Advisories.Concat(module?.Advisories ?? []).Concat(qe.Advisories).Distinct().Order(StringComparer.Ordinal)]);

        bool IsUpToDate(ReadOnlySpan<byte> svn)
        {
            try
            {
                var (moduleToday, platformToday) = Levels(svn, pck, info, report);
                return Converge(platformToday, moduleToday, qe) is not (TcbStatus.OutOfDate or TcbStatus.OutOfDateConfigurationNeeded or TcbStatus.Revoked);
            }
            catch (Refusal)
            {
                return false;
            }
        }
    }

    private static TcbStatus Converge(TcbLevel platform, IsvLevel? module, IsvLevel qe) =>
        (module is null ? platform.Status : platform.Status.Converge(module.Status)).Converge(qe.Status);

    private static (IsvLevel? Module, TcbLevel Platform) Levels(ReadOnlySpan<byte> svn, PckExtension pck, TcbInfo info, TdReport report)
    {
        var (module, level) = (info.Module, (IsvLevel?)null);
        // From module version 1 on, the module has an identity of its own, and the first two components are judged there.
        if (svn[1] > 0)
        {
            module = info.ModuleIdentities.GetValueOrDefault($"TDX_{svn[1]:X2}") ?? throw new Refusal(Codes.TdxModuleMismatch, "Intel lists no such TDX module.");
            level = LevelOf(module, svn[0]) ?? throw new Refusal(Codes.TdxModuleNotSupported, "The TDX module is older than every level that Intel lists.");
        }

        Refusal.Unless(report.MrSignerSeam.Span.SequenceEqual(module.MrSigner) && AttributesFit(report.SeamAttributes.Span, module),
            Codes.TdxModuleMismatch, "The TDX module is not Intel's.");
        var first = svn[1] > 0 ? 2 : 0;
        foreach (var candidate in info.Levels)
        {
            if (AtLeast(pck.Components, candidate.Sgx, 0) && pck.PceSvn >= candidate.PceSvn && AtLeast(svn, candidate.Tdx, first))
            {
                return (level, candidate);
            }
        }

        throw new Refusal(Codes.TcbNotSupported, "The platform is older than every level that Intel lists.");
    }

    private static IsvLevel? LevelOf(TdxModule module, byte svn) => module.Levels.FirstOrDefault(level => level.Svn <= svn);

    private static bool AttributesFit(ReadOnlySpan<byte> attributes, TdxModule module)
    {
        for (var i = 0; i < 8; i++)
        {
            if ((attributes[i] & module.Mask[i]) != (module.Attributes[i] & module.Mask[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AtLeast(ReadOnlySpan<byte> found, ReadOnlySpan<byte> minimum, int from)
    {
        for (var i = from; i < 16; i++)
        {
            if (found[i] < minimum[i])
            {
                return false;
            }
        }

        return true;
    }
}
