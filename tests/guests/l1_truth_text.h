/*
 * tests/guests/l1_truth_text.h - numbers in the text of l1_truth, for who writes and who reads it
 *
 * Numbers are hexadecimal. A case is a line
 *
 *	case BASE STATE FIELD=VALUE... OUTCOME
 *
 * where OUTCOME is "ok REASON", "i", "v ERROR" or "x REASON QUALIFICATION". The base, the words of
 * memory and the capabilities that it rests on are told before; what "peek" tells of memory holds
 *for one case.
 */
#ifndef TESTS_GUESTS_L1_TRUTH_TEXT_H
#define TESTS_GUESTS_L1_TRUTH_TEXT_H

/* STATE: how the entry was tried */
#define TRUTH_LAUNCHED BIT(0) /* the launch state is launched */
#define TRUTH_RESUME   BIT(1) /* by VMRESUME */
#define TRUTH_NO_VMCS  BIT(2) /* no VMCS is current */
#define TRUTH_SHADOW   BIT(3) /* the current VMCS is a shadow VMCS */
#define TRUTH_MOV_SS   BIT(4) /* while MOV SS blocks events */
#define TRUTH_32       BIT(5) /* by an L1 in protected mode with PAE paging */

#endif
