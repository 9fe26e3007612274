using Cube.Identity.Authentication;
using Cube.Identity.Mail;
using Cube.Identity.Relations;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Cube.Identity.Invitations;

using Listed = Results<Ok<InvitationApi.InvitationPage>, JsonHttpResult<ManagementError>>;
using Nothing = Results<NoContent, JsonHttpResult<ManagementError>>;

/// <summary>Invitations into a role of a domain. Nobody becomes a member of one without wanting to, but whom its administrators add.</summary>
internal static class InvitationApi
{
    public static IEndpointRouteBuilder MapInvitations(this IEndpointRouteBuilder endpoints)
    {
        var sent = endpoints.MapGroup("/domains/{id:guid}/invitations").InForceWhenAnswered().WithTags("Invitations");
        sent.MapPost("/", Send).RequireAction("manage_role");
        sent.MapGet("/", ListSent).RequireAction("manage_role");
        sent.MapDelete("/", Delete).RequireAction("manage_role");

        var received = endpoints.MapGroup("/invitations").InForceWhenAnswered().WithTags("Invitations");
        received.MapGet("/", ListReceived);
        received.MapPost("/accept", Accept);
        received.MapPost("/reject", Reject);
        return endpoints;
    }

    internal sealed record SendRequest(Guid? InviteeUserId, string? RoleId, bool? Resend);

    internal sealed record DeleteRequest(Guid? UserId);

    internal sealed record AnswerRequest(Guid? DomainId);

    internal sealed record InvitationPage(long Total, int Offset, int Limit, IEnumerable<Invitation> Invitations);

    private static async Task<Results<Created<Invitation>, JsonHttpResult<ManagementError>>> Send(
        Guid id, SendRequest request, Caller caller, InvitationStore invitations, MailQueue mails, CancellationToken ct)
    {
        if (request is not { InviteeUserId: { } invitee, RoleId: { Length: > 0 and <= 64 } role })
        {
            return Requests.Invalid("invitee_user_id and role_id are needed.");
        }

        var (change, invitation) = await invitations.SendAsync(id, invitee, role, request.Resend is true, caller, ct);
        if (invitation is null)
        {
            return Refusal(change);
        }

        mails.Post(new MailOrder.Invite(invitation.InviteeUserId, invitation.DomainName));
        return TypedResults.Created((string?)null, invitation);
    }

    private static Task<Listed> ListSent(Guid id, [AsParameters] Paging paging, string? state, InvitationStore invitations, CancellationToken ct) =>
        ListAsync(id, null, state, paging, invitations, ct);

    private static Task<Listed> ListReceived([AsParameters] Paging paging, string? state, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        ListAsync(null, caller.UserId, state, paging, invitations, ct);

    private static async Task<Listed> ListAsync(
        Guid? domain, Guid? invitee, string? state, Paging paging, InvitationStore invitations, CancellationToken ct)
    {
        if ((paging.Fault ?? (state is null or "all" or "pending" or "accepted" or "rejected" ? null : "state must be all, pending, accepted or rejected.")) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (total, page) = await invitations.ListAsync(domain, invitee, state ?? "all", paging, ct);
        return TypedResults.Ok(new InvitationPage(total, paging.From, paging.Count, page));
    }

    private static async Task<Nothing> Delete(Guid id, [FromBody] DeleteRequest request, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        request.UserId is not { } user ? Requests.Invalid("user_id is needed.")
        : await invitations.DeleteAsync(id, user, caller, ct) ? TypedResults.NoContent()
        : Refusal(InvitationChange.UnknownInvitation);

    private static Task<Nothing> Accept(AnswerRequest request, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        AnswerAsync(request, accept: true, caller, invitations, ct);

    private static Task<Nothing> Reject(AnswerRequest request, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        AnswerAsync(request, accept: false, caller, invitations, ct);

    private static async Task<Nothing> AnswerAsync(AnswerRequest request, bool accept, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        request.DomainId is not { } domain ? Requests.Invalid("domain_id is needed.")
        : await invitations.AnswerAsync(domain, accept, caller, ct) is var change && change == InvitationChange.Done ? TypedResults.NoContent()
        : Refusal(change);

    private static JsonHttpResult<ManagementError> Refusal(InvitationChange change) => change switch
    {
        InvitationChange.UnknownUser => Requests.NotFound("There is no such user."),
        InvitationChange.UnknownRole => Requests.NotFound("The domain has no such role."),
        InvitationChange.UnknownInvitation => Requests.NotFound("There is no such invitation."),
        InvitationChange.IsMember => Requests.Conflict("The user is a member of the domain already."),
        InvitationChange.IsPending => Requests.Conflict("The user is invited already; resend says to invite again."),
        InvitationChange.IsAnswered => Requests.Conflict("The invitation was answered already."),
        InvitationChange.HasExpired => Requests.Refused("invitation_expired", "The invitation has expired."),
        InvitationChange.DomainClosed => Requests.Refused("domain_disabled", "The domain is not open."),
        InvitationChange.MoreThanOwn => Requests.Fail(
            StatusCodes.Status403Forbidden, "more_than_own", "You can invite only into roles that allow no more than your own."),
        _ => throw new InvalidOperationException($"{change} is no refusal."),
    };
}
