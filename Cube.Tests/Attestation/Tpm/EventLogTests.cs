using System.Security.Cryptography;
using Cube.Attestation;
using Cube.Attestation.Appraisal;
using Cube.Attestation.Parsing;
using Cube.Attestation.Tpm;
using Cube.Attestation.Verdicts;

namespace Cube.Tests.Attestation.Tpm;

/// <summary>An event log must cover the firmware registers and contain no unknown register.</summary>
public sealed class EventLogTests
{
    private static readonly byte[] _digest = SHA256.HashData("an event"u8);
    private static readonly byte[] _extended = SHA256.HashData([.. new byte[32], .. _digest]);

    private static byte[] Log(params uint[] indexes)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        byte[] header = [.. "Spec ID Event03\0"u8, 0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0B, 0, 32, 0, 0];
        writer.Write(0u);
        writer.Write(3u);
        writer.Write(new byte[20]);
        writer.Write(header.Length);
        writer.Write(header);
        foreach (var index in indexes)
        {
            writer.Write(index);
            writer.Write(8u);
            writer.Write(1u);
            writer.Write((ushort)0x0B);
            writer.Write(_digest);
            writer.Write(0u);
        }

        return stream.ToArray();
    }

    private static void Check(byte[] log, params (int Index, byte[] Value)[] registers) =>
        EventLog.Replay(log).CheckAgainst(new Dictionary<string, SortedDictionary<int, byte[]>> { ["sha256"] = new(registers.ToDictionary(static pair => pair.Index, static pair => pair.Value)) });

    [Fact]
    public void The_log_must_contain_each_extended_firmware_register()
    {
        Check(Log(0, 7), (0, _extended), (7, _extended));
        Check(Log(0), (0, _extended), (7, new byte[32]));
        Assert.Equal(Codes.EventLogReplay, Assert.Throws<AppraisalException>(static () => Check(Log(0), (0, _extended), (7, _extended))).Code);
        // Later software need not log the registers that it extends.
        Check(Log(0), (0, _extended), (10, _extended));
        Assert.Equal(Codes.EventLogReplay, Assert.Throws<AppraisalException>(static () => Check(Log(0, 9), (0, _extended), (9, new byte[32]))).Code);
    }

    [Fact]
    public void An_event_of_an_unknown_register_is_rejected() =>
        Assert.Equal(Codes.EventLog, Assert.Throws<AppraisalException>(static () => EventLog.Replay(Log(0, 24))).Code);
}
