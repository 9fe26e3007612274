using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tdx;

/// <summary>Finds the TCB level of a platform in Intel's TCB info, by the algorithm of Intel's quote verification library.</summary>
internal static class TcbEvaluation
{
    /// <exception cref="AppraisalException">Codes <see cref="Codes.TdxModuleMismatch"/>, <see cref="Codes.TdxModuleNotSupported"/>, <see cref="Codes.TcbNotSupported"/>.</exception>
    public static (TcbStatus Status, IReadOnlyList<string> Advisories) Evaluate(TdQuoteBody report, PckExtension pck, TcbInfo info, IsvLevel qe)
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
            catch (AppraisalException)
            {
                return false;
            }
        }
    }

    private static TcbStatus Converge(TcbLevel platform, IsvLevel? module, IsvLevel qe) =>
        (module is null ? platform.Status : platform.Status.Converge(module.Status)).Converge(qe.Status);

    private static (IsvLevel? Module, TcbLevel Platform) Levels(ReadOnlySpan<byte> svn, PckExtension pck, TcbInfo info, TdQuoteBody report)
    {
        var (module, level) = (info.Module, (IsvLevel?)null);
        // From module version 1 on, the TDX module has its own identity, which covers the first two components.
        if (svn[1] > 0)
        {
            module = info.ModuleIdentities.GetValueOrDefault($"TDX_{svn[1]:X2}") ?? throw new AppraisalException(Codes.TdxModuleMismatch, "The TCB info contains no identity for this TDX module.");
            level = LevelOf(module, svn[0]) ?? throw new AppraisalException(Codes.TdxModuleNotSupported, "The TDX module is below every TCB level in the TCB info.");
        }

        AppraisalException.ThrowUnless(report.MrSignerSeam.Span.SequenceEqual(module.MrSigner) && AttributesFit(report.SeamAttributes.Span, module),
            Codes.TdxModuleMismatch, "Signer or attributes of the TDX module do not match the TCB info.");
        var first = svn[1] > 0 ? 2 : 0;
        foreach (var candidate in info.Levels)
        {
            if (AtLeast(pck.Components, candidate.Sgx, 0) && pck.PceSvn >= candidate.PceSvn && AtLeast(svn, candidate.Tdx, first))
            {
                return (level, candidate);
            }
        }

        throw new AppraisalException(Codes.TcbNotSupported, "The platform is below every TCB level in the TCB info.");
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
