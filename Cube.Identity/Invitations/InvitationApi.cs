using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Mail;
using Cube.Identity.Synchronization;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Cube.Identity.Invitations;

using PageResult = Results<Ok<InvitationApi.InvitationPage>, JsonHttpResult<ManagementError>>;
using EmptyResult = Results<NoContent, JsonHttpResult<ManagementError>>;

/// <summary>Endpoints for invitations to a role of a domain. The invited user becomes a member by accepting.</summary>
internal static class InvitationApi
{
    public static IEndpointRouteBuilder MapInvitations(this IEndpointRouteBuilder endpoints)
    {
        var sent = endpoints.MapGroup("/domains/{id:guid}/invitations").RequireSynchronized().WithTags("Invitations");
        sent.MapPost("/", Send).RequireAction("manage_role");
        sent.MapGet("/", ListSent).RequireAction("manage_role");
        sent.MapDelete("/", Delete).RequireAction("manage_role");

        var received = endpoints.MapGroup("/invitations").RequireSynchronized().WithTags("Invitations");
        received.MapGet("/", ListReceived);
        received.MapPost("/accept", Accept);
        received.MapPost("/reject", Reject);
        return endpoints;
    }

    internal sealed record SendRequest(Guid? InviteeUserId, string? RoleId, bool? Resend);

    internal sealed record DeleteRequest(Guid? UserId);

    internal sealed record InvitationAnswerRequest(Guid? DomainId);

    internal sealed record InvitationPage(long Total, int Offset, int Limit, IEnumerable<Invitation> Invitations);

    private static async Task<Results<Created<Invitation>, JsonHttpResult<ManagementError>>> Send(
        Guid id, SendRequest request, Caller caller, InvitationStore invitations, MailQueue mails, CancellationToken ct)
    {
        if (request is not { InviteeUserId: { } invitee, RoleId: { Length: > 0 and <= 64 } role })
        {
            return ApiResults.Invalid("invitee_user_id and role_id are required.");
        }

        var (change, invitation) = await invitations.SendAsync(id, invitee, role, request.Resend is true, caller, ct);
        if (invitation is null)
        {
            return ToResult(change);
        }

        mails.Enqueue(new MailJob.Invitation(invitation.InviteeUserId, invitation.DomainName));
        return TypedResults.Created((string?)null, invitation);
    }

    private static Task<PageResult> ListSent(Guid id, [AsParameters] Paging paging, string? state, InvitationStore invitations, CancellationToken ct) =>
        ListAsync(id, null, state, paging, invitations, ct);

    private static Task<PageResult> ListReceived([AsParameters] Paging paging, string? state, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        ListAsync(null, caller.UserId, state, paging, invitations, ct);

    private static async Task<PageResult> ListAsync(
        Guid? domain, Guid? invitee, string? state, Paging paging, InvitationStore invitations, CancellationToken ct)
    {
        if ((paging.Error ?? (state is null or "all" or "pending" or "accepted" or "rejected" ? null : "state must be all, pending, accepted or rejected.")) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (total, page) = await invitations.ListAsync(domain, invitee, state ?? "all", paging, ct);
        return TypedResults.Ok(new InvitationPage(total, paging.From, paging.Count, page));
    }

    private static async Task<EmptyResult> Delete(Guid id, [FromBody] DeleteRequest request, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        request.UserId is not { } user ? ApiResults.Invalid("user_id is required.")
        : await invitations.DeleteAsync(id, user, caller, ct) ? TypedResults.NoContent()
        : ToResult(InvitationChange.UnknownInvitation);

    private static Task<EmptyResult> Accept(InvitationAnswerRequest request, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        AnswerAsync(request, accept: true, caller, invitations, ct);

    private static Task<EmptyResult> Reject(InvitationAnswerRequest request, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        AnswerAsync(request, accept: false, caller, invitations, ct);

    private static async Task<EmptyResult> AnswerAsync(InvitationAnswerRequest request, bool accept, Caller caller, InvitationStore invitations, CancellationToken ct) =>
        request.DomainId is not { } domain ? ApiResults.Invalid("domain_id is required.")
        : await invitations.AnswerAsync(domain, accept, caller, ct) is var change && change == InvitationChange.Done ? TypedResults.NoContent()
        : ToResult(change);

    private static JsonHttpResult<ManagementError> ToResult(InvitationChange change) => change switch
    {
        InvitationChange.UnknownUser => ApiResults.NotFound("The user does not exist."),
        InvitationChange.UnknownRole => ApiResults.NotFound("The domain does not have this role."),
        InvitationChange.UnknownInvitation => ApiResults.NotFound("The invitation does not exist."),
        InvitationChange.IsMember => ApiResults.Conflict("The user is already a member of the domain."),
        InvitationChange.IsPending => ApiResults.Conflict("The user already has a pending invitation. Set resend to send it again."),
        InvitationChange.IsAnswered => ApiResults.Conflict("The invitation has already been answered."),
        InvitationChange.HasExpired => ApiResults.Unprocessable("invitation_expired", "The invitation has expired."),
        InvitationChange.DomainClosed => ApiResults.Unprocessable("domain_disabled", "The domain is not enabled."),
        InvitationChange.ExceedsOwnRole => ApiResults.Fail(
            StatusCodes.Status403Forbidden, "more_than_own", "You can invite only to roles that allow no more than your own role."),
        _ => throw new InvalidOperationException($"{change} is not a failure."),
    };
}
