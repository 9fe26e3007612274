using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Database;
using Cube.Identity.Domains;
using Dapper;
using Npgsql;

namespace Cube.Identity.Invitations;

internal sealed class InvitationStore(NpgsqlDataSource database, RoleStore roles, TimeProvider time)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(7);

    private const string Select =
        """
        select i.invited_by, i.invitee_user_id, i.domain_id, d.name as domain_name, d.route as domain_route, i.role_id, r.name as role_name,
               array(select action from role_actions a where a.role_id = r.id order by action) as actions,
               i.created_at, i.expires_at, i.updated_at, i.confirmed_at, i.rejected_at
        from invitations i join domains d on d.id = i.domain_id join roles r on r.id = i.role_id
        """;

    private const string Pending = "i.confirmed_at is null and i.rejected_at is null and i.expires_at > @now";

    /// <summary>Invites a user to a role that the inviter's own role covers.</summary>
    public async Task<(InvitationChange Change, Invitation? Invitation)> SendAsync(
        Guid domainId, Guid invitee, string roleId, bool again, Caller caller, CancellationToken ct)
    {
        var result = InvitationChange.Done;
        var (change, _) = await roles.ChangeAsync(domainId, roleId, caller, async (connection, _, _) =>
        {
            result = await SendAsync(connection, domainId, invitee, roleId, again, caller.UserId);
            return (result == InvitationChange.Done ? RoleChange.Done : RoleChange.UnknownUser, null);
        }, ct);
        return (result, change) switch
        {
            (InvitationChange.Done, RoleChange.Done) => (result, await FindAsync(domainId, invitee, ct)),
            (InvitationChange.Done, RoleChange.UnknownRole) => (InvitationChange.UnknownRole, null),
            (InvitationChange.Done, _) => (InvitationChange.ExceedsOwnRole, null),
            _ => (result, null),
        };
    }

    private async Task<InvitationChange> SendAsync(NpgsqlConnection connection, Guid domainId, Guid invitee, string roleId, bool again, Guid inviter)
    {
        var now = time.GetUtcNow();
        if (!await connection.QuerySingleAsync<bool>("select exists (select from users where id = @invitee and status = 'enabled')", new { invitee }))
        {
            return InvitationChange.UnknownUser;
        }

        if (await connection.QuerySingleAsync<bool>(
            "select exists (select from role_members where domain_id = @domainId and user_id = @invitee)", new { domainId, invitee }))
        {
            return InvitationChange.IsMember;
        }

        // An answered or expired invitation is replaced. A pending one is replaced only when the caller asks to resend it.
        var sent = await connection.ExecuteAsync(
            $"""
            insert into invitations as i (domain_id, invitee_user_id, invited_by, role_id, created_at, expires_at)
            values (@domainId, @invitee, @inviter, @roleId, @now, @expires)
            on conflict (domain_id, invitee_user_id) do update
            set invited_by = @inviter, role_id = @roleId, created_at = @now, expires_at = @expires, updated_at = @now, confirmed_at = null, rejected_at = null
            where @again or not ({Pending})
            """,
            new { domainId, invitee, inviter, roleId, now, expires = now + Lifetime, again });
        return sent > 0 ? InvitationChange.Done : InvitationChange.IsPending;
    }

    public async Task<Invitation?> FindAsync(Guid domainId, Guid invitee, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        return await connection.QuerySingleOrDefaultAsync<Invitation>(new CommandDefinition(
            $"{Select} where i.domain_id = @domainId and i.invitee_user_id = @invitee", new { domainId, invitee }, cancellationToken: ct));
    }

    /// <param name="domainId">Only invitations of this domain; null for all.</param>
    /// <param name="invitee">Only invitations of this user; null for all.</param>
    /// <param name="state"><c>all</c>, <c>pending</c>, <c>accepted</c> or <c>rejected</c>.</param>
    /// <param name="paging">The requested part of the list.</param>
    /// <param name="ct">Cancels the query.</param>
    public async Task<(long Total, IEnumerable<Invitation> Invitations)> ListAsync(
        Guid? domainId, Guid? invitee, string state, Paging paging, CancellationToken ct)
    {
        var where =
            $"""
             where (@domainId::uuid is null or i.domain_id = @domainId::uuid) and (@invitee::uuid is null or i.invitee_user_id = @invitee::uuid)
             and d.status <> 'deleted'
             and case @state when 'all' then true when 'accepted' then i.confirmed_at is not null when 'rejected' then i.rejected_at is not null else {Pending} end
            """;
        var arguments = new { domainId, invitee, state, now = time.GetUtcNow(), paging.From, paging.Count };
        await using var connection = await database.OpenConnectionAsync(ct);
        var total = await connection.QuerySingleAsync<long>(new CommandDefinition($"select count(*) from ({Select}{where}) f", arguments, cancellationToken: ct));
        return (total, await connection.QueryAsync<Invitation>(new CommandDefinition(
            $"{Select}{where} order by i.created_at desc, i.domain_id, i.invitee_user_id offset @From limit @Count", arguments, cancellationToken: ct)));
    }

    /// <summary>Accepts or rejects an invitation of the caller.</summary>
    public async Task<InvitationChange> AnswerAsync(Guid domainId, bool accept, Caller caller, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var change = await database.BeginChangeAsync(caller, ct);
        var connection = change.Connection;
        // The row lock serializes changes of members in a domain.
        var status = await connection.QuerySingleOrDefaultAsync<string>("select status from domains where id = @domainId for update", new { domainId });
        var invitation = await connection.QuerySingleOrDefaultAsync<Invitation>(
            $"{Select} where i.domain_id = @domainId and i.invitee_user_id = @UserId", new { domainId, caller.UserId });
        if (invitation is null || status == DomainStatus.Deleted)
        {
            return InvitationChange.UnknownInvitation;
        }

        if (invitation.ConfirmedAt is not null || invitation.RejectedAt is not null)
        {
            return InvitationChange.IsAnswered;
        }

        if (invitation.ExpiresAt <= now.UtcDateTime)
        {
            return InvitationChange.HasExpired;
        }

        if (accept && status != DomainStatus.Enabled)
        {
            return InvitationChange.DomainClosed;
        }

        if (accept && await MemberStore.AddAsync(connection, domainId, invitation.RoleId, [caller.UserId], now) != RoleChange.Done)
        {
            return InvitationChange.IsMember;
        }

        await connection.ExecuteAsync(
            $"update invitations set {(accept ? "confirmed_at" : "rejected_at")} = @now, updated_at = @now where domain_id = @domainId and invitee_user_id = @UserId",
            new { now, domainId, caller.UserId });
        await change.CommitAsync();
        return InvitationChange.Done;
    }

    /// <returns>False when the invitation does not exist.</returns>
    public async Task<bool> DeleteAsync(Guid domainId, Guid invitee, Caller caller, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(caller, ct);
        var deleted = await change.Connection.ExecuteAsync(
            "delete from invitations where domain_id = @domainId and invitee_user_id = @invitee", new { domainId, invitee });
        await change.CommitAsync();
        return deleted > 0;
    }
}

internal enum InvitationChange
{
    Done,
    UnknownUser,
    UnknownRole,
    UnknownInvitation,
    IsMember,
    IsPending,
    IsAnswered,
    HasExpired,
    DomainClosed,
    ExceedsOwnRole,
}

internal sealed class Invitation
{
    public Guid InvitedBy { get; init; }
    public Guid InviteeUserId { get; init; }
    public Guid DomainId { get; init; }
    public string DomainName { get; init; } = "";
    public string DomainRoute { get; init; } = "";
    public string RoleId { get; init; } = "";
    public string RoleName { get; init; } = "";
    public string[] Actions { get; init; } = [];
    public DateTime CreatedAt { get; init; }
    public DateTime ExpiresAt { get; init; }
    public DateTime? UpdatedAt { get; init; }
    public DateTime? ConfirmedAt { get; init; }
    public DateTime? RejectedAt { get; init; }
}
