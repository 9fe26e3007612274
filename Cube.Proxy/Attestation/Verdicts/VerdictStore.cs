using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Cube.Attestation;
using Cube.Attestation.Evidence;
using Cube.Attestation.Verdicts;
using Cube.Proxy.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Proxy.Attestation.Verdicts;

/// <summary>
/// Stores every verdict, and its Evidence once under its SHA-256, so that an auditor can repeat the appraisal. The proxy writes in the background: if the database is unavailable or slow,
/// verdicts are lost, and the proxy logs that. Requests neither wait nor fail.
/// </summary>
internal sealed partial class VerdictStore(ProxyDatabase database, IOptions<VerdictOptions> options, TimeProvider time, ILogger<VerdictStore> logger) : BackgroundService
{
    private const int QueueCapacity = 256;
    private static readonly TimeSpan _cleanupInterval = TimeSpan.FromHours(6);

    private static readonly JsonSerializerOptions _serializerOptions = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    private readonly Channel<(Uri Backend, Verdict Verdict)> _queue =
        Channel.CreateBounded<(Uri, Verdict)>(new BoundedChannelOptions(QueueCapacity) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public void Enqueue(Uri backend, Verdict verdict)
    {
        if (!_queue.Writer.TryWrite((backend, verdict)))
        {
            VerdictDropped();
        }
    }

    /// <returns>The Evidence as it was appraised, collateral included; null if it is not stored.</returns>
    public async Task<byte[]?> FindEvidenceAsync(string sha256, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<byte[]>(new CommandDefinition(
            "select evidence from attestation_evidence where sha256 = @sha256", new { sha256 }, cancellationToken: ct));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var cleanedUpAt = DateTimeOffset.MinValue;
        try
        {
            await foreach (var (backend, verdict) in _queue.Reader.ReadAllAsync(stoppingToken))
            {
                try
                {
                    await WriteAsync(backend, verdict, stoppingToken);
                    if (time.GetUtcNow() - cleanedUpAt > _cleanupInterval)
                    {
                        await DeleteExpiredAsync(stoppingToken);
                        cleanedUpAt = time.GetUtcNow();
                    }
                }
                catch (Exception exception) when (exception is NpgsqlException or TimeoutException or IOException or SocketException)
                {
                    WriteFailed(exception.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The proxy stops.
        }
    }

    private async Task WriteAsync(Uri backend, Verdict verdict, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        if (verdict.Evidence is { } evidence)
        {
            // The hash covers the Evidence as it was appraised, collateral included.
            await connection.ExecuteAsync(new CommandDefinition(
                "insert into attestation_evidence (sha256, evidence) values (@sha256, @bytes) on conflict do nothing",
                new { sha256 = verdict.EvidenceSha256, bytes = EvidenceJson.Write(evidence) }, cancellationToken: ct));
        }

        await connection.ExecuteAsync(new CommandDefinition(
            """
            insert into attestation_verdicts (evaluated_at, outcome, code, backend, policy_id, policy_version, evidence_sha256, verdict)
            values (@EvaluatedAt, @outcome, @Code, @backend, @PolicyId, @PolicyVersion, @EvidenceSha256, @verdict::jsonb)
            """,
            new
            {
                EvaluatedAt = verdict.EvaluatedAt.UtcDateTime,
                outcome = JsonNamingPolicy.KebabCaseLower.ConvertName(verdict.Outcome.ToString()),
                verdict.Code,
                backend = backend.ToString(),
                verdict.PolicyId,
                verdict.PolicyVersion,
                verdict.EvidenceSha256,
                verdict = JsonSerializer.Serialize(verdict, _serializerOptions),
            }, cancellationToken: ct));
    }

    private async Task DeleteExpiredAsync(CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attestation_verdicts where evaluated_at < now() - make_interval(days => @KeepDays);
            delete from attestation_evidence e where kept_at < now() - make_interval(days => @KeepDays)
                and not exists (select from attestation_verdicts v where v.evidence_sha256 = e.sha256)
            """,
            new { options.Value.KeepDays }, commandTimeout: 60, cancellationToken: ct));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The proxy lost a verdict: too many verdicts wait for the database.")]
    private partial void VerdictDropped();

    [LoggerMessage(Level = LogLevel.Error, Message = "The proxy cannot store a verdict: {Reason}")]
    private partial void WriteFailed(string reason);
}
